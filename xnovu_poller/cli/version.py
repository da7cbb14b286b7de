"""`xnovu --version`: the version, and the commit from which the program was made."""

import shutil
import subprocess
from pathlib import Path

import xnovu_poller

_PACKAGE = Path(xnovu_poller.__file__).parent
_DIGITS = 7


def describe_version(package: Path = _PACKAGE) -> str:
    """Return the version and, if it is known, the commit: `0.1.0 (6f826ed)`, or `(6f826ed-dirty)` with changes.

    A build has written the commit into the package; a checkout asks git.
    """
    recorded = package / "_commit"
    commit = recorded.read_text(encoding="ascii").strip() if recorded.exists() else _ask_git(package.parent)
    if not commit:
        return xnovu_poller.__version__
    digits, dash, dirty = commit.partition("-")
    return f"{xnovu_poller.__version__} ({digits[:_DIGITS]}{dash}{dirty})"


def _ask_git(checkout: Path) -> str:
    git = shutil.which("git")
    if git is None or not (checkout / ".git").exists():
        return ""
    command = [git, "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout.strip()  # noqa: S603 - git
