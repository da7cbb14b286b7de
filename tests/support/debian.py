"""Unpack packages of Debian below the checkout, for tools that PyPI has not; nothing is installed."""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

_MISSING = re.compile(r"^Inst (\S+)", re.MULTILINE)


def unpack(names: Sequence[str], folder: Path, *, needs: bool = False) -> None:
    """Unpack packages into a folder, which is there afterwards only if all of them are.

    Args:
        names: the packages.
        folder: is made, or made anew.
        needs: unpack also what they depend on and this machine lacks.

    Raises:
        SystemExit: this is no Debian, or it has no such package.
    """
    apt, dpkg = shutil.which("apt-get"), shutil.which("dpkg")
    if apt is None or dpkg is None:
        sys.exit(f"{names[0]} is missing, and this is no Debian: install it")
    half = folder.with_name(f"{folder.name}.half")
    shutil.rmtree(half, ignore_errors=True)
    with tempfile.TemporaryDirectory() as name:
        packages = Path(name)
        if not _download(apt, names, packages, needs=needs):
            subprocess.run([apt, "update"], check=False)
            if not _download(apt, names, packages, needs=needs):
                sys.exit(f"{names[0]} is missing, and apt-get cannot fetch it: install it")
        for package in packages.glob("*.deb"):
            subprocess.run([dpkg, "-x", package, half], check=True)
    shutil.rmtree(folder, ignore_errors=True)
    half.rename(folder)


def _download(apt: str, names: Sequence[str], folder: Path, *, needs: bool) -> bool:
    wanted = _missing(apt, names) if needs else names
    return bool(wanted) and not subprocess.run([apt, "download", *wanted], cwd=folder, check=False).returncode


def _missing(apt: str, names: Sequence[str]) -> list[str]:
    """Return the packages that an installation would add; a simulation needs no root."""
    simulation = [apt, "install", "--simulate", "--reinstall", "--no-install-recommends", *names]
    return _MISSING.findall(subprocess.run(simulation, check=False, capture_output=True, text=True).stdout)
