"""Each statement of the store is in one piece in its module, has a snapshot, and explains its parts."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house import sources
from tests.support import snapshots

STORE = [path for path in sources.python("xnovu_poller") if path.parts[1] == "store"]

WRITERS = {"claim_sql", "walk_sql"}
"""The functions that build a statement from parts; each of these statements has a snapshot."""

CTE = re.compile(
    r"^[ ]*(?:WITH (?:RECURSIVE )?|\), ?)?(\w+)(?: \([\w, ]+\))? AS (?:MATERIALIZED )?\($", re.MULTILINE
)


def hidden(source: str) -> Iterator[str]:
    """Yield the functions that contain a statement, which no snapshot sees."""
    for function in ast.walk(ast.parse(source)):
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)) and function.name not in WRITERS:
            calls = [node.func for node in ast.walk(function) if isinstance(node, ast.Call)]
            if any(isinstance(called, ast.Name) and called.id == "text" for called in calls):
                yield function.name


def unexplained(sql: str) -> Iterator[str]:
    """Yield the common table expressions that do not begin with a comment on their purpose."""
    for found in CTE.finditer(sql):
        if not sql[found.end() :].lstrip().startswith("-- "):
            yield found[1]


@pytest.mark.parametrize(
    ("path", "sql"), snapshots.wanted().items(), ids=lambda part: getattr(part, "name", "")
)
def test_a_statement_equals_its_snapshot(path: Path, sql: str) -> None:
    """If you meant the change, run `python -m tests.support.snapshots` and read the diff."""
    assert path.read_text() == sql


def test_no_snapshot_is_left_over() -> None:
    """Each file belongs to a statement."""
    assert set(snapshots.FOLDER.iterdir()) == set(snapshots.wanted())


def test_no_statement_hides_in_a_function() -> None:
    """Statements are in their module, above their use."""
    assert [f"{path} {name}" for path in STORE for name in hidden(sources.text(path))] == []


def test_each_part_of_a_statement_has_its_purpose() -> None:
    """Each common table expression begins with a line of plain English."""
    statements = snapshots.statements()

    assert [f"{name} {part}" for name, sql in statements.items() for part in unexplained(sql)] == []


def test_a_hidden_statement_is_reported() -> None:
    """It is found inside a method too."""
    assert list(hidden("class A:\n    async def read(self): return text('SELECT 1')")) == ["read"]
    assert list(hidden("_READ = text('SELECT 1')\ndef read(): return _READ")) == []


@pytest.mark.parametrize(
    "sql",
    [
        "WITH a AS (\n    SELECT 1\n)",
        "WITH RECURSIVE a (x, y) AS MATERIALIZED (\n    SELECT 1, 2 -- two\n)",
        "    WITH b AS (\n-- Why.\n SELECT 1\n    ), a AS (\nSELECT 2)",
        "a AS (\n    --\n    SELECT 1\n)",
    ],
)
def test_an_unexplained_part_is_reported(sql: str) -> None:
    """It may be the first or the last, with or without columns."""
    assert list(unexplained(sql)) == ["a"]
