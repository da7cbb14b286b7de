"""The version before, from git: its files, and a virtual environment with the packages that its own lock pins."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / ".before"
"""A commit's version is built once; `make clean` deletes all."""

FIRST_REVISION = "migrations/versions/0012_*.py"
OLDEST_REVISION = "migrations/versions/0011_*.py"
"""A version that lacks it does not work beside this version: docs/upgrade.md, *Upgrade workers*."""

SAFE: Mapping[str, str] = {"PYTHONSAFEPATH": "1", "PYTHONNOUSERSITE": "1"}
"""Its processes import its own files, in any folder."""


@dataclass(frozen=True, slots=True)
class Before:
    """A version that can run.

    Attributes:
        commit: the first twelve digits.
        command: what runs its `xnovu`.
        head: its newest revision.
    """

    commit: str
    command: tuple[str, ...]
    head: str


def default_commit() -> str:
    """Return the parent of the commit that added the first migration of this version.

    HEAD if there is none yet, or if the parent is too old to work beside this version: then no migration runs.
    """
    first = _added(FIRST_REVISION)
    return "HEAD" if first in (None, _added(OLDEST_REVISION)) else f"{first}^"


def _added(file: str) -> str | None:
    """Return the first commit that added a file."""
    commits = _git("log", "--diff-filter=A", "--reverse", "--format=%H", "--", file).decode().split()
    return commits[0] if commits else None


def build(revision: str) -> Before:
    """Build the version of a commit, unless it is built."""
    commit = _git("rev-parse", "--short=12", revision).decode().strip()
    place = KEPT / commit
    if not place.exists():
        KEPT.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=KEPT) as half:
            _unpack(commit, Path(half) / "built")
            # A virtual environment works only in the place where it was made, so it comes last.
            (Path(half) / "built").rename(place)
    python = place / ".venv" / "bin" / "python"
    if not (place / ".installed").exists():
        _install(place, python)
    head = _run(
        python, "-c", "from xnovu_poller.store import schema; print(schema.required_revision())", cwd=place
    )
    return Before(commit, (str(python), "-m", "xnovu_poller"), head.decode().strip())


def _unpack(commit: str, place: Path) -> None:
    # Not `tarfile`: that of Python 3.11.2, Debian's, knows no filters yet.
    place.mkdir()
    archive = place.with_suffix(".tar")
    _git("archive", "--output", str(archive), commit)
    _run(shutil.which("tar") or "tar", "-x", "-C", place, "-f", archive)


def _install(place: Path, python: Path) -> None:
    _run(sys.executable, "-m", "venv", "--clear", place / ".venv")
    locked = ("--require-hashes", "--requirement", place / "requirements.lock")
    _run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *locked)
    [packages] = place.glob(".venv/lib/python*/site-packages")
    (packages / "xnovu_poller.pth").write_text(f"{place}\n")
    (place / ".installed").touch()


def _git(*arguments: str) -> bytes:
    return _run(shutil.which("git") or "git", *arguments)


def _run(*command: str | Path, cwd: Path = ROOT) -> bytes:
    return subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.PIPE).stdout  # noqa: S603 - our own commands
