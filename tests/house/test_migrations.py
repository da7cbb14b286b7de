"""The SQL files of the migrations are readable, and a revision runs each of them."""

from pathlib import Path

import pytest

from tests.house import sources

FILES = [path for path in sources.files() if path.parent == Path("migrations/sql")]
REVISIONS = "".join(
    sources.text(path) for path in sources.python("migrations") if path.parent.name == "versions"
)

# Not the session's path: objects in `public`, where anybody may create, must not shadow PostgreSQL's own names.
FIXED_PATH = "SET search_path = pg_catalog, pg_temp;"


def begins_well(source: str) -> bool:
    """Return whether a file begins with two or three lines of purpose and the fixed search path."""
    lines = source.splitlines()
    purpose = next((number for number, line in enumerate(lines) if not line.startswith("-- ")), len(lines))
    return 2 <= purpose <= 4 and lines[purpose : purpose + 1] == [FIXED_PATH]


@pytest.mark.parametrize("path", FILES, ids=str)
def test_a_file_begins_with_its_purpose(path: Path) -> None:
    """It also means the same under every search path."""
    assert begins_well(sources.text(path))


@pytest.mark.parametrize("path", FILES, ids=str)
def test_a_revision_runs_each_file(path: Path) -> None:
    """A file that nothing runs would look like a part of the schema."""
    assert f'"{path.name}"' in REVISIONS


def test_a_file_without_purpose_or_path_is_reported() -> None:
    """Each of the two is required."""
    assert not begins_well(f"{FIXED_PATH}\nSELECT 1;")
    assert not begins_well("-- Why.\n-- And how.\nSELECT 1;")
    assert begins_well(f"-- Why.\n-- And how.\n{FIXED_PATH}\nSELECT 1;")
