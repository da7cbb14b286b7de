"""The container files are consistent, as far as tests can check that without a container engine."""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml
from pydantic_settings import BaseSettings

from tests.house import locks, sources
from tests.support import image
from xnovu_poller import settings

TOOLS = Path(sys.executable).parent
DOCKERFILE = sources.text(Path("Dockerfile"))
IGNORE = sources.text(Path(".dockerignore"))
COMPOSE = sources.text(Path("docker-compose.yml"))

DEFAULTS = {row.variable: row.default for row in settings.table()}
SECRETS = {row.variable for row in settings.table() if row.secret}
REQUIRED = {variable for variable, default in DEFAULTS.items() if default == "required"}

_PORT = re.compile(r"127\.0\.0\.1:(?:\$\{[A-Z_]+:-\d+\}|\d+)?:\d+")
_VARIABLE = re.compile(r"\$\{(?P<name>[A-Z_]+):(?P<sign>[-?])(?P<word>[^}]*)\}")

Service = Mapping[str, Any]


def lint_dockerfile(path: Path) -> subprocess.CompletedProcess[str]:
    """Run hadolint on a Dockerfile; every rule counts."""
    return subprocess.run(
        [TOOLS / "hadolint", "--no-color", "--failure-threshold", "style", path],
        check=False,
        capture_output=True,
        text=True,
    )


def check_compose(path: Path) -> subprocess.CompletedProcess[str]:
    """Check a Compose file against the schema of the Compose specification."""
    return subprocess.run(
        [TOOLS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", path],
        check=False,
        capture_output=True,
        text=True,
    )


@contextmanager
def answering(status: int) -> Iterator[HTTPServer]:
    """Serve this status at `/livez`, and 404 elsewhere."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/livez" else 404)
            self.end_headers()

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        serving = Thread(target=server.serve_forever)
        serving.start()
        try:
            yield server
        finally:
            server.shutdown()
            serving.join()


def variables(*kinds: type[BaseSettings]) -> set[str]:
    """Return the variables of some settings."""
    return {row.variable for kind in kinds for row in settings.table(kind)}


def copied(dockerfile: str) -> set[str]:
    """Return the files that a Dockerfile copies from the checkout."""
    lines = re.findall(r"^COPY (?!--from=)(.+) \S+$", dockerfile, re.MULTILINE)
    return {source for line in lines for source in line.split()}


def included(dockerignore: str) -> set[str]:
    """Return the files that a list which excludes everything includes again."""
    rules = [line for line in dockerignore.splitlines() if line and not line.startswith("#")]
    assert rules[0] == "*"
    return {rule.removeprefix("!") for rule in rules if rule.startswith("!")}


def build_backend(dockerfile: str) -> set[str]:
    """Return the packages that a Dockerfile takes from the development lock to build the wheel."""
    (names,) = re.findall(r"/\^\(([a-z|-]+)\)==/", dockerfile)
    return set(str(names).split("|"))


def faults(compose: Mapping[str, Any]) -> Iterator[str]:
    """Yield the faults that the schema cannot see: services, volumes, ports and settings that do not fit together."""
    services: Mapping[str, Service] = compose["services"]
    for name, service in services.items():
        for fault in (
            *_waits(service, services),
            *_mounts(service, compose["volumes"]),
            *_ports(service),
            *(_single(service) if name == "worker" else ()),
            *(_environment(service, services) if "build" in service else ()),
        ):
            yield f"{name}: {fault}"


def _waits(service: Service, services: Mapping[str, Service]) -> Iterator[str]:
    """Yield the conditions that never come true."""
    for name, wait in service.get("depends_on", {}).items():
        other = services.get(name)
        absent = other is None or not set(other.get("profiles", ())) <= set(service.get("profiles", ()))
        if other is None or (absent and wait.get("required", True)):
            yield f"waits for {name}, which is not there"
        elif wait["condition"] == "service_healthy" and "test" not in other.get("healthcheck", {}):
            yield f"waits for the health of {name}, which nobody asks for"
        elif wait["condition"] == "service_completed_successfully" and other["restart"] != "no":
            yield f"waits for the end of {name}, which starts again"


def _mounts(service: Service, volumes: Mapping[str, object]) -> Iterator[str]:
    """Yield the volumes that are not declared."""
    for mount in service.get("volumes", ()):
        name, _, _ = mount.partition(":")
        if name not in volumes:
            yield f"mounts {name}, which is no volume"


def _ports(service: Service) -> Iterator[str]:
    """Yield the ports that other machines can reach."""
    for port in service.get("ports", ()):
        if not _PORT.fullmatch(port):
            yield f"port {port} is open to other machines"


def _single(service: Service) -> Iterator[str]:
    """Yield the parts of a service that a second instance would find in use."""
    if "container_name" in service:
        yield "its name is taken by the first"
    for port in service["ports"]:
        if not port.startswith("127.0.0.1::"):
            yield f"port {port} is taken by the first"


def _environment(service: Service, services: Mapping[str, Service]) -> Iterator[str]:
    """Yield the settings that are misspelt, have a different default, or contain a secret."""
    for name, value in service.get("environment", {}).items():
        found = _VARIABLE.fullmatch(value)
        if name not in DEFAULTS:
            yield f"{name} is no setting"
        elif found and found["name"] != name:
            yield f"{name} is read from {found['name']}"
        elif found and name in REQUIRED and found["sign"] != "?":
            yield f"{name} has to be given"
        elif found and found["sign"] == "-" and not _is_default(name, found["word"], services):
            yield f"{name} has another default in the program: {DEFAULTS[name]}"
        elif name in SECRETS and not name.endswith("DATABASE_URL") and not found:
            yield f"{name} stands in the file"


def _is_default(name: str, word: str, services: Mapping[str, Service]) -> bool:
    """Return whether it is the program's default, or the address of a service instead of this machine's."""
    host, _, port = word.partition(":")
    return word == DEFAULTS[name].replace("unset", "") or (
        host in services and DEFAULTS[name] == f"localhost:{port}"
    )


def test_the_dockerfile_is_clean() -> None:
    """No rule of hadolint is switched off."""
    linted = lint_dockerfile(sources.ROOT / "Dockerfile")

    assert (linted.returncode, linted.stdout) == (0, "")


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("FROM python:3.11-slim", "FROM python"),
        ('CMD ["worker", "start"]', "CMD worker start"),
        ("WORKDIR /src", "WORKDIR src"),
        ("COPY --from=build", "COPY --from=built"),
        ("USER 10001:10001", "RUN cd /tmp"),
    ],
)
def test_a_fault_in_the_dockerfile_is_reported(tmp_path: Path, line: str, instead: str) -> None:
    """The faults: an untagged image, a shell, an unknown folder, an unknown stage, a `cd`."""
    assert line in DOCKERFILE
    changed = tmp_path / "Dockerfile"
    changed.write_text(DOCKERFILE.replace(line, instead))

    assert lint_dockerfile(changed).returncode == 1


def test_dockerignore_includes_exactly_the_copied_files() -> None:
    """Without them the build fails, and with others it is slower."""
    assert [name for name in copied(DOCKERFILE) if not (sources.ROOT / name).exists()] == []
    assert included(IGNORE) == copied(DOCKERFILE)


def test_copied_sources_are_read_as_by_docker() -> None:
    """A line may have several sources, and files from another stage do not count."""
    assert copied("COPY a b.txt ./\nCOPY c c\nCOPY --from=build /x /x\n# COPY d d\n") == {"a", "b.txt", "c"}


def test_the_build_backend_is_complete() -> None:
    """It is installed by hash, so a missing package would stop the build."""
    assert build_backend(DOCKERFILE) == locks.closure(["hatchling"])


def test_the_image_runs_as_a_number_that_is_not_root() -> None:
    """Kubernetes cannot check that a name is not root."""
    assert re.findall(r"^USER ([1-9]\d*:[1-9]\d*)$", DOCKERFILE, re.MULTILINE)


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_the_healthcheck_of_the_image_asks_the_worker(status: int, code: int) -> None:
    """It asks at the worker's own port, and not through a proxy."""
    python, *arguments = image.form(image.stages(DOCKERFILE)[-1], "HEALTHCHECK")
    assert python == "python"

    with answering(status) as worker:
        environment = settings.child_environment(
            WORKER_HEALTH_PORT=str(worker.server_port), http_proxy="http://127.0.0.1:1", no_proxy=""
        )
        check_run = subprocess.run(
            [sys.executable, *arguments], check=False, capture_output=True, env=environment
        )

    assert check_run.returncode == code


def test_the_compose_file_follows_its_specification() -> None:
    """Docker Compose refuses unknown keys."""
    checked = check_compose(sources.ROOT / "docker-compose.yml")

    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("stop_grace_period: 40s", "stop_grace_periode: 40s"),
        ("condition: service_completed_successfully", "condition: completed"),
        ("profiles: [dev]", "profiles: dev"),
        ("services:", "service:"),
    ],
)
def test_a_compose_file_of_another_form_is_reported(tmp_path: Path, line: str, instead: str) -> None:
    """The faults: a misspelt key, an unknown condition, a word instead of a list, a misspelt section."""
    assert line in COMPOSE
    changed = tmp_path / "docker-compose.yml"
    changed.write_text(COMPOSE.replace(line, instead))

    assert check_compose(changed).returncode == 1


def test_the_compose_file_fits_together() -> None:
    """Services wait for existing services, and the worker gets only settings that exist."""
    assert list(faults(yaml.safe_load(COMPOSE))) == []


def test_the_compose_file_contains_the_whole_stack() -> None:
    """Stand-in and Temporal's server start only with their profiles; worker and API can be given each of their settings."""
    services: Mapping[str, Service] = yaml.safe_load(COMPOSE)["services"]

    profiles = {name: service.get("profiles", []) for name, service in services.items()}
    assert profiles == {
        "postgres": [],
        "temporal": [],
        "migrate": [],
        "worker": [],
        "app": [],
        "novu-standin": ["dev"],
        "temporal-schema": ["temporal-server"],
        "temporal-server": ["temporal-server"],
        "temporal-namespace": ["temporal-server"],
        "temporal-ui": ["temporal-server"],
    }
    # The image listens on the ports that are published.
    listening = {"WORKER_HEALTH_HOST", "WORKER_HEALTH_PORT", "API_HOST", "API_PORT"}
    worker, app = services["worker"]["environment"].keys(), services["app"]["environment"].keys()
    assert worker == variables(settings.Settings) - variables(settings.OperatorSettings) - listening
    assert app == variables(settings.ApiProcessSettings, settings.NovuSettings) - listening
    assert services["migrate"]["environment"].keys() == {"DATABASE_URL"}


@pytest.mark.parametrize(
    ("line", "instead", "fault"),
    [
        ("migrate: { condition:", "migrated: { condition:", "worker: waits for migrated, which is not there"),
        (
            "postgres: { condition:",
            "novu-standin: { condition:",
            "temporal-schema: waits for novu-standin, which",
        ),
        ('restart: "no"', "restart: always", "temporal-server: waits for the end of temporal-schema, which"),
        (
            "test: [CMD, /temporal,",
            "x-test: [CMD, /temporal,",
            "worker: waits for the health of temporal, which",
        ),
        ("temporal:/var/lib", "temporals:/var/lib", "temporal: mounts temporals, which is no volume"),
        (
            "127.0.0.1:${POSTGRES_PORT",
            "${POSTGRES_PORT",
            "postgres: port ${POSTGRES_PORT:-5432}:5432 is open",
        ),
        ("127.0.0.1::3001", "127.0.0.1:3001:3001", "worker: port 127.0.0.1:3001:3001 is taken by"),
        ("stop_grace_period: 40s", "container_name: worker", "worker: its name is taken by the first"),
        (", required: false", "", "worker: waits for temporal-namespace, which is not there"),
        (
            "SENTRY_DSN: ${SENTRY_DSN:-}",
            "SENTRY_DSN: https://key@host/1",
            "worker: SENTRY_DSN stands in the file",
        ),
        (
            "TEMPORAL_ADDRESS:-temporal:",
            "TEMPORAL_ADDRESS:-time:",
            "worker: TEMPORAL_ADDRESS has another default",
        ),
        ("LEASE_MS: $", "LEASE: $", "worker: LEASE is no setting"),
        ("${LEASE_MS:", "${LEASE:", "worker: LEASE_MS is read from LEASE"),
        ("LEASE_MS:-300000", "LEASE_MS:-1", "worker: LEASE_MS has another default in the program: 300000"),
        ("MAX_IN_FLIGHT:-", "MAX_IN_FLIGHT:-9", "worker: MAX_IN_FLIGHT has another default in the program"),
        ("${NOVU_SECRET_KEY:?", "${NOVU_SECRET_KEY:-", "worker: NOVU_SECRET_KEY has to be given"),
        ("${NOVU_SECRET_KEY:?set", "set", "worker: NOVU_SECRET_KEY stands in the file"),
    ],
)
def test_each_broken_rule_is_reported(line: str, instead: str, fault: str) -> None:
    """Each rule is broken once in a copy of the real file."""
    assert line in COMPOSE
    changed = COMPOSE.replace(line, instead, 1)

    assert any(found.startswith(fault) for found in faults(yaml.safe_load(changed)))
