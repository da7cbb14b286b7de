"""The manifests in `deploy/kubernetes`, as `kubectl kustomize` builds them; no cluster is needed."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "kubernetes"
Manifest = dict[str, Any]
_HASH = re.compile(r"(?<=settings)-[0-9a-z]{10}$")


def kubectl() -> str:
    """Return the path of kubectl; where PyPI has none for this system, it may be installed otherwise."""
    beside = Path(sys.executable).with_name("kubectl")
    found = str(beside) if beside.exists() else shutil.which("kubectl")
    if found is None:
        assert sys.platform != "linux", "kubectl is missing; run `make install`"
        pytest.skip("kubectl is not installed")
    return found


def kustomize(folder: Path) -> subprocess.CompletedProcess[str]:
    """Build a kustomization."""
    return subprocess.run([kubectl(), "kustomize", folder], check=False, capture_output=True, text=True)


@cache
def built(overlay: str) -> Sequence[Manifest]:
    """Return the manifests of an overlay."""
    ended = kustomize(FOLDER / "overlays" / overlay)
    assert (ended.returncode, ended.stderr) == (0, "")
    return list(yaml.safe_load_all(ended.stdout))


def find(manifests: Sequence[Manifest], kind: str, name: str) -> Manifest:
    """Return a manifest; the name of a ConfigMap may end with a hash."""
    [found] = (
        manifest
        for manifest in manifests
        if manifest["kind"] == kind and _HASH.sub("", manifest["metadata"]["name"]) == name
    )
    return found


def pods(manifests: Sequence[Manifest]) -> Iterator[tuple[str, Manifest]]:
    """Yield the name and the description of the pods of each Deployment and Job."""
    for manifest in manifests:
        if manifest["kind"] in {"Deployment", "Job"}:
            yield manifest["metadata"]["name"], manifest["spec"]["template"]["spec"]


def container(manifests: Sequence[Manifest], kind: str, name: str) -> Manifest:
    """Return the only container of a Deployment or a Job."""
    [found] = find(manifests, kind, name)["spec"]["template"]["spec"]["containers"]
    only: Manifest = found
    return only
