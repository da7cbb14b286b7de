"""Each statement of the store stands in one piece in its module, has been read as a whole, and explains its parts."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house import sources
from tests.support import snapshots

STORE = [path for path in sources.python("xnovu_poller") if path.parts[1] == "store"]

WRITERS = {"claim_sql"}
"""The functions that write a statement out of parts; each has its place in the snapshots."""

CTE = re.compile(
    r"^[ ]*(?:WITH (?:RECURSIVE )?|\), ?)?(\w+)(?: \([\w, ]+\))? AS (?:MATERIALIZED )?\($", re.MULTILINE
)


def hidden(source: str) -> Iterator[str]:
    """Name the functions that write a statement where no snapshot sees it."""
    for function in ast.walk(ast.parse(source)):
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)) and function.name not in WRITERS:
            calls = [node.func for node in ast.walk(function) if isinstance(node, ast.Call)]
            if any(isinstance(called, ast.Name) and called.id == "text" for called in calls):
                yield function.name


def unexplained(sql: str) -> Iterator[str]:
    """Name the common table expressions that do not begin with a line that says what they are for."""
    for found in CTE.finditer(sql):
        if not sql[found.end() :].lstrip().startswith("-- "):
            yield found[1]


@pytest.mark.parametrize(
    ("path", "sql"), snapshots.wanted().items(), ids=lambda part: getattr(part, "name", "")
)
def test_a_statement_is_the_one_that_was_read(path: Path, sql: str) -> None:
    """If the change is meant: `python -m tests.support.snapshots`, and read the diff."""
    assert path.read_text() == sql


def test_no_snapshot_is_left_over() -> None:
    """Each file is a statement's."""
    assert set(snapshots.FOLDER.iterdir()) == set(snapshots.wanted())


@pytest.mark.parametrize("path", STORE, ids=str)
def test_no_statement_hides_in_a_function(path: Path) -> None:
    """Statements stand in their module, above their use."""
    assert list(hidden(sources.text(path))) == []


@pytest.mark.parametrize("name", snapshots.statements())
def test_each_part_of_a_statement_has_its_purpose(name: str) -> None:
    """A line of plain English opens each common table expression."""
    assert list(unexplained(snapshots.statements()[name])) == []


def test_a_hidden_statement_would_be_seen() -> None:
    """Also one within a method."""
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
def test_an_unexplained_part_would_be_seen(sql: str) -> None:
    """The first and the last, with and without columns."""
    assert list(unexplained(sql)) == ["a"]
