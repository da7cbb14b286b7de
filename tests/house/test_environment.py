"""Only the settings read the environment."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house import sources

READER = Path("xnovu_poller/settings/environment.py")
FORBIDDEN = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}


def faults(source: str) -> Iterator[int]:
    """Yield the lines that touch the environment, even if a comment silences ruff there."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(value=ast.Name(id="os"), attr=name) if name in FORBIDDEN:
                yield node.lineno
            case ast.ImportFrom(module="os", names=aliases) if {alias.name for alias in aliases} & FORBIDDEN:
                yield node.lineno
            case _:
                pass


def test_no_other_module_reads_the_environment() -> None:
    """A child process gets its environment from `settings.child_environment`."""
    others = [path for path in sources.python("xnovu_poller", "migrations", "benchmarks") if path != READER]

    assert [f"{path}:{line}" for path in others for line in faults(sources.text(path))] == []


@pytest.mark.parametrize(
    "source",
    [
        "import os\nos.environ['A']",
        "import os\nx = os.getenv('A')",
        "# first\nfrom os import environ",
        "import os\nos.putenv('A', 'b')  # noqa: TID251",
    ],
)
def test_a_second_reader_is_reported(source: str) -> None:
    """Each way to read the environment counts."""
    assert list(faults(source)) == [2]


def test_the_reader_reads_the_environment() -> None:
    """If the reader moves, this rule moves with it."""
    assert list(faults(sources.text(READER)))
