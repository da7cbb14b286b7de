"""You can read each file in one sitting; ruff checks the size of functions."""

from pathlib import Path

import pytest

from tests.house import sources

MOST_LINES = 350


def too_long(source: str) -> bool:
    """Return whether a file should become a folder."""
    return len(source.splitlines()) > MOST_LINES


@pytest.mark.parametrize("path", sources.python("xnovu_poller", "migrations", "tests", "benchmarks"), ids=str)
def test_a_file_is_short(path: Path) -> None:
    """After 350 lines a file becomes a folder of its name."""
    assert not too_long(sources.text(path))


def test_a_long_file_is_reported() -> None:
    """The limit itself is allowed."""
    assert not too_long("pass\n" * MOST_LINES)
    assert too_long("pass\n" * (MOST_LINES + 1))
