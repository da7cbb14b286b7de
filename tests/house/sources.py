"""The files of this project, as the house's rules read them."""

import ast
import shutil
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "xnovu_poller"


@cache
def files() -> tuple[Path, ...]:
    """Return every file that is under version control, or new and not ignored, relative to the root."""
    git = shutil.which("git") or "git"
    listed = subprocess.run(
        [git, "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    found = {Path(name) for name in listed.stdout.split("\0") if name}
    return tuple(sorted(path for path in found if (ROOT / path).is_file()))


def python(*tops: str) -> tuple[Path, ...]:
    """Return the Python files below some folders of the root."""
    return tuple(path for path in files() if path.suffix == ".py" and path.parts[0] in tops)


@cache
def text(path: Path) -> str:
    """Read a file of the root."""
    return (ROOT / path).read_text(encoding="utf-8")


def room(path: Path) -> str:
    """Return the name of a file as an import has it: `loops.loop`, `store`, `migrations.env`."""
    parts = path.with_suffix("").parts
    inside = parts[1:] if parts[0] == PACKAGE.name else parts
    return ".".join(part for part in inside if part != "__init__")


def imported(source: str) -> set[str]:
    """Return the dotted names that a source imports, in any form."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=aliases):
                names |= {alias.name for alias in aliases}
            case ast.ImportFrom(module=str(module), names=aliases):
                names |= {f"{module}.{alias.name}" for alias in aliases}
            case _:
                pass
    return names
