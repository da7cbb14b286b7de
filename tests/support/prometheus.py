"""Find Prometheus' promtool, and fetch it from Debian: `python -m tests.support.prometheus`."""

import shutil
from pathlib import Path

from tests.support.debian import unpack

FOLDER = Path(__file__).resolve().parents[2] / ".promtool"


def promtool() -> str | None:
    """Return the path of promtool, if it is installed or was fetched."""
    fetched = FOLDER / "usr/bin/promtool"
    return str(fetched) if fetched.exists() else shutil.which("promtool")


if __name__ == "__main__" and promtool() is None:
    unpack(["prometheus"], FOLDER)
