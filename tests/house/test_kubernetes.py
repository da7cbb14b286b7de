"""The manifests build, follow the schemas of Kubernetes, and agree with the settings and the image."""

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.house import sources
from tests.support.kubernetes import FOLDER, Manifest, built, container, find, kustomize, pods
from xnovu_poller import __version__, settings
from xnovu_poller.cli.worker import stop

OVERLAYS = ("dev", "production")
COMPONENTS = ("hpa", "keda-postgresql", "keda-prometheus", "service-monitor")
VERSIONS = ("1.25", "1.37")
"""The oldest and the newest version of Kubernetes whose schemas there are."""

ROWS = {row.variable: row for row in settings.table()}
DOCKERFILE = sources.text(Path("Dockerfile"))


def _object(*required: str, **properties: object) -> dict[str, object]:
    return {
        "type": "object",
        "required": [*required],
        "properties": properties,
        "additionalProperties": False,
    }


_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
_NUMBER = {"type": "integer", "minimum": 0}
_DURATION = {"type": "string", "pattern": "^[0-9]+s$"}
_CUSTOM = {
    "ScaledObject": _object(
        "scaleTargetRef",
        "triggers",
        scaleTargetRef=_object("name", name={"type": "string"}),
        pollingInterval=_NUMBER,
        cooldownPeriod=_NUMBER,
        minReplicaCount={"type": "integer", "minimum": 1},
        maxReplicaCount=_NUMBER,
        fallback=_object(
            "failureThreshold",
            "replicas",
            failureThreshold=_NUMBER,
            replicas=_NUMBER,
            behavior={"type": "string"},
        ),
        triggers={
            "type": "array",
            "items": _object("type", "metadata", type={"type": "string"}, metadata=_TEXTS),
        },
    ),
    "ServiceMonitor": _object(
        "selector",
        "endpoints",
        selector=_object("matchLabels", matchLabels=_TEXTS),
        endpoints={
            "type": "array",
            "items": _object(
                "port",
                port={"type": "string"},
                path={"type": "string"},
                interval=_DURATION,
                scrapeTimeout=_DURATION,
            ),
        },
    ),
}
"""What we use of two kinds that are not Kubernetes' own."""


def violations(manifest: Manifest) -> Iterator[str]:
    """Yield where a manifest leaves its schema."""
    if manifest["kind"] in _CUSTOM:
        validator = Draft202012Validator(_CUSTOM[manifest["kind"]])
        yield from (error.message for error in validator.iter_errors(manifest["spec"]))
        return
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(manifest, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            yield f"{version}: {error.message}"


def faults(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Yield what the schemas cannot see: settings, rights, ports and times that do not fit together."""
    settings_of_overlay: Mapping[str, str] = find(manifests, "ConfigMap", "xnovu-settings")["data"]
    yield from _settings(settings_of_overlay)
    yield from _led(manifests)
    for name, pod in pods(manifests):
        yield from (f"{name}: {fault}" for fault in _pod(pod))
    seconds = {
        "xnovu-worker": int(settings_of_overlay["NOVU_TIMEOUT_MS"]) / 1000 + stop._STOPS_WITHIN_SECONDS + 5,
        "xnovu-api": int(settings_of_overlay.get("API_TIMEOUT_MS", ROWS["API_TIMEOUT_MS"].default)) / 1000
        + 15,
    }
    for name, needed in seconds.items():
        pod = find(manifests, "Deployment", name)["spec"]["template"]
        if pod["spec"]["terminationGracePeriodSeconds"] != needed:
            yield f"{name} may need {needed:g} s to stop"
        yield from _selected(manifests, name, pod)


def _selected(manifests: Sequence[Manifest], name: str, pod: Manifest) -> Iterator[str]:
    """Yield what ought to select the pods of a Deployment, and does not."""
    policy = "xnovu" if name == "xnovu-worker" else name
    for kind in ("Service", "PodDisruptionBudget", "NetworkPolicy", "Deployment"):
        manifest = find(manifests, kind, policy if kind == "NetworkPolicy" else name)
        selector = manifest["spec"].get("selector") or manifest["spec"]["podSelector"]
        if not (selector.get("matchLabels") or selector).items() <= pod["metadata"]["labels"].items():
            yield f"{kind} does not select {name}"
    [served] = find(manifests, "Service", name)["spec"]["ports"]
    if served["targetPort"] not in {port["name"] for port in pod["spec"]["containers"][0]["ports"]}:
        yield f"{name}: the Service leads to no port"


def _led(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Yield the Ingresses that lead to no port of a Service."""
    ports = {
        (m["metadata"]["name"], port["name"])
        for m in manifests
        if m["kind"] == "Service"
        for port in m["spec"]["ports"]
    }
    for manifest in manifests:
        for rule in manifest["spec"]["rules"] if manifest["kind"] == "Ingress" else ():
            for path in rule["http"]["paths"]:
                service = path["backend"]["service"]
                if (service["name"], service["port"]["name"]) not in ports:
                    yield "the Ingress leads to no Service"


def _settings(values: Mapping[str, str]) -> Iterator[str]:
    for name, value in values.items():
        if name not in ROWS:
            yield f"{name} is no setting"
        elif ROWS[name].secret:
            yield f"{name} is a secret"
        elif not value:
            yield f"{name} is empty"


def _pod(pod: Manifest) -> Iterator[str]:
    [only] = pod["containers"]
    user, rights = pod["securityContext"], only["securityContext"]
    rules = {
        "may run as root": user["runAsNonRoot"],
        "may use every system call": user["seccompProfile"]["type"] == "RuntimeDefault",
        "runs as another user than the image": f"USER {user['runAsUser']}:{user['runAsGroup']}\n"
        in DOCKERFILE,
        "may gain rights": not rights["allowPrivilegeEscalation"],
        "may write to its image": rights["readOnlyRootFilesystem"],
        "has capabilities": rights["capabilities"] == {"drop": ["ALL"]},
        "gets a token": not pod["automountServiceAccountToken"],
        "gets variables of Services": not pod["enableServiceLinks"],
        "requests nothing": only["resources"]["requests"].keys() == {"cpu", "memory"},
        "has no limit of memory": "memory" in only["resources"]["limits"],
    }
    yield from (fault for fault, kept in rules.items() if not kept)
    for variable in only.get("env", ()):
        if variable["name"] not in ROWS or not ROWS[variable["name"]].secret or "value" in variable:
            yield f"{variable['name']} is no secret setting"
    ports = {port["name"] for port in only.get("ports", ())}
    for name in ("startupProbe", "livenessProbe", "readinessProbe"):
        if name in only and only[name]["httpGet"]["port"] not in ports:
            yield f"{name} asks at no port"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_follows_the_schemas_and_fits_together(overlay: str) -> None:
    """No manifest has a field that Kubernetes does not know; every variable is a setting."""
    manifests = built(overlay)

    assert [(manifest["kind"], fault) for manifest in manifests for fault in violations(manifest)] == []
    assert list(faults(manifests)) == []


def test_production_has_all_that_an_operator_needs() -> None:
    """The API of Kubernetes gets one of each; the development overlay has the stand-in too."""
    kinds = sorted(manifest["kind"] for manifest in built("production"))
    assert kinds == sorted(
        [
            "ConfigMap",
            *["Deployment"] * 2,
            *["HorizontalPodAutoscaler"] * 2,
            "Ingress",
            "Job",
            *["NetworkPolicy"] * 2,
            *["PodDisruptionBudget"] * 2,
            *["Service"] * 2,
            "ServiceAccount",
        ]
    )
    image = container(built("production"), "Job", "xnovu-migration")["image"]
    assert image.endswith(f"/xnovu:v{__version__}")
    for name in ("xnovu-worker", "xnovu-api"):
        deployment = find(built("production"), "Deployment", name)["spec"]
        assert "replicas" not in deployment
        assert deployment["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
        spread = deployment["template"]["spec"]["topologySpreadConstraints"]
        assert {item["topologyKey"] for item in spread} == {
            "kubernetes.io/hostname",
            "topology.kubernetes.io/zone",
        }
        assert container(built("production"), "Deployment", name)["image"] == image
        assert find(built("dev"), "Deployment", name)["spec"]["replicas"] == 1
    assert find(built("dev"), "Deployment", "novu-standin")


def test_the_secrets_have_each_key_that_is_needed_and_no_value() -> None:
    """An example that belongs to no kustomization empties no Secret of yours."""
    example = list(yaml.safe_load_all((FOLDER / "secrets.example.yaml").read_text()))
    named = {(secret["metadata"]["name"], key) for secret in example for key in secret["stringData"]}
    used = [
        (variable["valueFrom"]["secretKeyRef"], variable["name"])
        for _, pod in pods(built("production"))
        for variable in pod["containers"][0]["env"]
    ]

    assert [fault for secret in example for fault in violations(secret)] == []
    assert {value for secret in example for value in secret["stringData"].values()} == {""}
    assert named == {(ref["name"], ref["key"]) for ref, _ in used if not ref.get("optional")}
    assert all(ref["key"] == name for ref, name in used)
    assert {name for ref, name in used if not ref.get("optional")} == {
        name for name, row in ROWS.items() if row.secret and row.default == "required"
    }
    assert all("secrets" not in path.read_text() for path in FOLDER.rglob("kustomization.yaml"))


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_component_can_be_chosen(component: str, tmp_path: Path) -> None:
    """Each is built in the place of that in the production overlay; all scale the worker, never to none."""
    place = copy(tmp_path)
    chosen = place / "overlays" / "production" / "kustomization.yaml"
    chosen.write_text(chosen.read_text().replace("components/hpa", f"components/{component}", 1))
    ended = kustomize(chosen.parent)
    assert (ended.returncode, ended.stderr) == (0, "")
    manifests = list(yaml.safe_load_all(ended.stdout))

    assert [(manifest["kind"], fault) for manifest in manifests for fault in violations(manifest)] == []
    assert list(faults(manifests)) == []
    scaler = next(
        (
            m["spec"]
            for m in manifests
            if m["kind"] in {"ScaledObject", "HorizontalPodAutoscaler"}
            and m["metadata"]["name"] == "xnovu-worker"
        ),
        None,
    )
    replicas = find(manifests, "Deployment", "xnovu-worker")["spec"].get("replicas")
    if scaler is None:
        assert replicas == 2
        assert find(manifests, "ServiceMonitor", "xnovu-worker")["spec"]["selector"][
            "matchLabels"
        ].items() <= (find(manifests, "Service", "xnovu-worker")["metadata"]["labels"].items())
    else:
        assert replicas is None
        assert scaler["scaleTargetRef"]["name"] == "xnovu-worker"
        assert scaler.get("minReplicas", scaler.get("minReplicaCount")) >= 2


def test_the_query_of_prometheus_asks_for_a_metric_that_exists() -> None:
    """Its label `job` is the name of the Service, as the alerts have it."""
    [trigger] = scaled("keda-prometheus")["triggers"]
    metric, job = re.findall(r'(xnovu_\w+)\{job="(.+?)"\}', trigger["metadata"]["query"])[0]

    assert f"| `{metric}{{loop}}` | gauge |" in sources.text(Path("docs/metrics.md"))
    assert job == find(built("production"), "Service", "xnovu-worker")["metadata"]["name"]


def scaled(component: str) -> dict[str, Any]:
    """Return the ScaledObject of a component."""
    spec: dict[str, Any] = yaml.safe_load(
        (FOLDER / "components" / component / "scaled-object.yaml").read_text()
    )["spec"]
    return spec


def copy(place: Path) -> Path:
    """Copy the folder of manifests, to change it."""
    return Path(shutil.copytree(FOLDER, place / "kubernetes"))


@pytest.mark.parametrize(
    ("file", "line", "instead", "fault"),
    [
        ("base/deployment.yaml", "minReadySeconds: 5", "minReadySecond: 5", "Additional properties are not allowed"),
        ("base/service.yaml", "port: 3001,", "port: web,", "is not of type 'integer'"),
        ("components/hpa/hpa.yaml", "maxReplicas: 10", "maximum: 10", "'maxReplicas' is a required property"),
        ("base/settings.env", "LOG_FORMAT=json", "LOG_FORM=json", "LOG_FORM is no setting"),
        ("base/settings.env", "LOG_FORMAT=json", "NOVU_SECRET_KEY=k", "NOVU_SECRET_KEY is a secret"),
        ("base/settings.env", "LOG_FORMAT=json", "LOG_FORMAT=", "LOG_FORMAT is empty"),
        ("base/settings.env", "TIMEOUT_MS=10000", "TIMEOUT_MS=60000", "xnovu-worker may need 95 s to stop"),
        ("base/deployment.yaml", "name: SENTRY_DSN", "name: SENTRY", "xnovu-worker: SENTRY is no secret setting"),
        ("base/deployment.yaml", "runAsUser: 10001", "runAsUser: 10002", "xnovu-worker: runs as another user"),
        ("base/deployment.yaml", "runAsNonRoot: true", "runAsNonRoot: false", "xnovu-worker: may run as root"),
        ("base/migration.yaml", "drop: [ALL]", "drop: [CHOWN]", "xnovu-migration: has capabilities"),
        ("base/migration.yaml", "enableServiceLinks: false", "enableServiceLinks: true", "xnovu-migration: gets variables of Services"),
        ("base/deployment.yaml", "path: /readyz, port: http", "path: /readyz, port: web", "readinessProbe asks at no port"),
        ("base/service.yaml", "selector: { app.kubernetes.io/name: xnovu,", "selector: { app.kubernetes.io/name: x,", "Service does not"),
        ("components/api/deployment.yaml", "PeriodSeconds: 30", "PeriodSeconds: 20", "xnovu-api may need 30 s to stop"),
        ("components/api/network-policy.yaml", "component: api }\n  policy", "component: a }\n  policy", "NetworkPolicy does not select xnovu-api"),
        ("components/api/service.yaml", "targetPort: http", "targetPort: https", "xnovu-api: the Service leads to no port"),
        ("components/api-ingress/ingress.yaml", "name: http }", "name: web }", "the Ingress leads to no Service"),
    ],
)  # fmt: skip
def test_each_broken_rule_is_reported(file: str, line: str, instead: str, fault: str, tmp_path: Path) -> None:
    """Each is broken once in a copy of the real files."""
    place = copy(tmp_path)
    text = (place / file).read_text()
    assert line in text
    (place / file).write_text(text.replace(line, instead))
    manifests = list(yaml.safe_load_all(kustomize(place / "overlays" / "production").stdout))

    everything = chain(faults(manifests), *map(violations, manifests))  # read no further than needed
    assert any(fault in words for words in everything)


def test_an_unknown_field_of_a_custom_kind_is_reported() -> None:
    """The schemas of these kinds are ours."""
    good = {"kind": "ScaledObject", "spec": scaled("keda-prometheus")}
    bad = {"kind": "ScaledObject", "spec": {**scaled("keda-prometheus"), "minReplicas": 0}}

    assert list(violations(good)) == []
    assert list(violations(bad))
