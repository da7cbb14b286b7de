"""Make a release in `dist/`: `python -m tests.support.release`, or with `faults` only look whether it is possible."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import xnovu_poller
from tests.support.archives import unpack
from xnovu_poller import settings

ROOT = Path(__file__).resolve().parents[2]
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def find_faults(checkout: Path, version: str) -> Iterator[str]:
    """Yield what stands in the way of a release."""
    if _git(checkout, "status", "--porcelain"):
        yield "files differ from the commit, or are new: commit them"
    head, _ = notes(checkout, version)
    if not _DATE.search(head):
        yield f"CHANGELOG.md has no heading `## {version} (2026-12-31)`, with the day of the release"
    tag = f"v{version}"
    if _git(checkout, "tag", "--list", tag) and _git(checkout, "rev-list", "-1", tag) != _git(
        checkout, "rev-parse", "HEAD"
    ):
        yield f"the tag {tag} is at another commit: choose the next version in xnovu_poller/__init__.py"


def notes(checkout: Path, version: str) -> tuple[str, str]:
    """Return the heading of a version in the changelog and the text below it; both are empty if it is missing."""
    changelog = (checkout / "CHANGELOG.md").read_text(encoding="utf-8")
    found = re.search(
        rf"^(## {re.escape(version)}(?: [^\n]*)?)\n+(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL
    )
    return (found[1], found[2]) if found else ("", "")


def build(checkout: Path, place: Path) -> list[Path]:
    """Build both distributions, and once more from the source distribution; return the files.

    Raises:
        SystemExit: the second build has other bytes.
    """
    first = _build(checkout, place)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        unpack(next(file for file in first if file.suffix == ".gz"), folder)
        (unpacked,) = folder.iterdir()
        second = _build(unpacked, folder / "second")
        for one, other in zip(first, second, strict=True):
            if (one.name, one.read_bytes()) != (other.name, other.read_bytes()):
                sys.exit(f"{one.name}: the second build, from the source distribution, has other bytes")
    return first


def _build(checkout: Path, place: Path) -> list[Path]:
    """Build without the variables of this machine; the times in the files are hatchling's own."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--directory", place],
        cwd=checkout,
        check=True,
        env={"PATH": settings.child_environment().get("PATH", os.defpath)},
        capture_output=True,
    )
    return sorted(place.iterdir())


def release(checkout: Path, place: Path, version: str) -> None:
    """Write the distributions, their hashes and the notes into a folder, which is emptied first."""
    shutil.rmtree(place, ignore_errors=True)
    built = build(checkout, place)
    sums = "".join(f"{sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in built)
    (place / "SHA256SUMS").write_text(sums, encoding="ascii")
    head, text = notes(checkout, version)
    (place / "NOTES.md").write_text(f"{head}\n\n{text}", encoding="utf-8")


def _git(checkout: Path, *arguments: str) -> str:
    git = shutil.which("git") or "git"
    ended = subprocess.run([git, "-C", checkout, *arguments], check=True, capture_output=True, text=True)
    return ended.stdout.strip()


def main() -> None:
    """Refuse a release that would be wrong; otherwise make it."""
    version = xnovu_poller.__version__
    faults = list(find_faults(ROOT, version))
    if faults:
        sys.exit("\n".join(f"release: {fault}" for fault in faults))
    if sys.argv[1:] == ["faults"]:
        return
    release(ROOT, ROOT / "dist", version)
    sys.stdout.write(
        f"dist/ has {version}. Next: `git tag v{version}`, push the tag, and publish dist/ with NOTES.md.\n"
    )


if __name__ == "__main__":
    main()
