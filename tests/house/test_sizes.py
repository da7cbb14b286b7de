"""A file that can be read in one sitting; a function's size is ruff's affair."""

from pathlib import Path

import pytest

from tests.house import sources

MOST_LINES = 350


def too_long(source: str) -> bool:
    """Say whether a file should have become a folder."""
    return len(source.splitlines()) > MOST_LINES


@pytest.mark.parametrize("path", sources.python("xnovu_poller", "migrations", "tests", "benchmarks"), ids=str)
def test_a_file_is_short(path: Path) -> None:
    """Past 350 lines a file becomes a folder of its name."""
    assert not too_long(sources.text(path))


def test_a_long_file_would_be_seen() -> None:
    """The rule bites at the next line."""
    assert not too_long("pass\n" * MOST_LINES)
    assert too_long("pass\n" * (MOST_LINES + 1))
