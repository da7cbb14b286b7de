"""Compare the pinned packages with the holes that are known today: `python -m tests.support.audit`."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

LOCK = Path("requirements-dev.lock")
"""It contains the packages that are shipped, and those that build and test them."""

ACCEPTED: Mapping[str, str] = {}
"""Holes that do not concern us: the id, and the reason."""

_FORM = ("--disable-pip", "--require-hashes", "--format", "json", "--progress-spinner", "off")


def find_faults(report: str, accepted: Mapping[str, str] = ACCEPTED) -> Iterator[str]:
    """Yield a sentence for each known hole, and one for each package that was not compared.

    pip-audit itself succeeds if its service knows none of the packages: then nothing was compared.
    """
    if not report:
        yield "nothing was compared: pip-audit or its service failed"
        return
    packages = json.loads(report)["dependencies"]
    if all("skip_reason" in package for package in packages):
        yield f"none of {len(packages)} packages was compared: the service knows none of them; audit where there is internet"
        return
    for package in packages:
        if "skip_reason" in package:
            yield f"{package['name']}: not compared: {package['skip_reason']}"
        for hole in package.get("vulns", []):
            if hole["id"] not in accepted:
                fixed = ", ".join(hole["fix_versions"]) or "no version yet"
                yield f"{package['name']} {package['version']}: {hole['id']}, fixed in {fixed}"


def main(lock: Path = LOCK) -> None:
    """Print the faults, and end with 1 if there are any."""
    found = subprocess.run(
        [sys.executable, "-m", "pip_audit", *_FORM, "--requirement", lock],
        capture_output=True,
        text=True,
        check=False,
    )
    faults = list(find_faults(found.stdout))
    if not found.stdout:
        faults += found.stderr.splitlines()[-1:]
    sys.exit("\n".join(faults) if faults else None)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
