"""You can read each file in one sitting; ruff checks the size of functions."""

from tests.house import sources

MOST_LINES = 350


def too_long(source: str) -> bool:
    """Return whether a file should become a folder."""
    return len(source.splitlines()) > MOST_LINES


def test_a_file_is_short() -> None:
    """After 350 lines a file becomes a folder of its name."""
    files = sources.python("xnovu_poller", "migrations", "tests", "benchmarks")

    assert [str(path) for path in files if too_long(sources.text(path))] == []


def test_a_long_file_is_reported() -> None:
    """The limit itself is allowed."""
    assert not too_long("pass\n" * MOST_LINES)
    assert too_long("pass\n" * (MOST_LINES + 1))
