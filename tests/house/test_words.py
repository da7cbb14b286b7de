"""Names use the words of docs/glossary.md: a word for each thing, and the same word everywhere."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house import sources

EMPTY = {"util", "utils", "helper", "helpers", "common", "manager", "handler"}
"""They have no meaning, in any place."""

ROOMLESS = {"process", "data"}
"""Good words, but not for a room."""

FOREIGN = {"job", "jobs", "fetch", "dequeue", "ack", "tick", "zombie", "stale", "dlq"}
"""Words of other projects; ours are notification, hold, claim, record, turn, late, dead."""

PRIVATE = {
    "begun", "conducted", "conductor", "edge", "elders", "fate", "fates", "handing", "holding", "lane", "lanes",
    "mute", "orchestra", "ring", "rung", "said", "spin", "stranger", "strangers", "tell", "tells", "told", "turning",
    "whole", "wish", "wishes",
}  # fmt: skip
"""Puns and participles that only this project understood; docs/glossary.md has the standard words."""

PRIVATE_SQL = PRIVATE | {
    "again", "anew", "asked", "cut", "free", "gone", "mine", "one", "place", "recut",
}  # fmt: skip
"""The same for the names of CTEs."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_CTE = re.compile(r"\b([a-z_]+) AS (?:NOT )?(?:MATERIALIZED )?\(")

FILES = sources.python("xnovu_poller", "migrations")


def words(name: str) -> set[str]:
    """Split a name into its words, in snake case and in camel case."""
    return {word.lower() for word in _WORD.findall(name)}


def faults(path: Path, source: str) -> Iterator[str]:
    """Return the names in a file that break the rule for all rooms."""
    if words(path.stem) & (EMPTY | ROOMLESS | FOREIGN):
        yield str(path)
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                if words(name) & (EMPTY | FOREIGN):
                    yield f"{path}:{node.lineno} {name}"
            case _:
                pass


def private_names(path: Path, source: str) -> Iterator[str]:
    """Return the names in a file, and of CTEs in its SQL, that have a private word."""
    if words(path.stem) & PRIVATE:
        yield str(path)
    for line, name in names(source):
        if words(name) & PRIVATE:
            yield f"{path}:{line} {name}"
    for name in _CTE.findall(source):
        if words(name) & PRIVATE_SQL:
            yield f"{path} {name} AS (…)"


def names(source: str) -> Iterator[tuple[int, str]]:
    """Return the names of classes, functions and parameters, and of variables of modules and classes."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield node.lineno, name
            case ast.ClassDef(name=name, body=body):
                yield node.lineno, name
                yield from variables(body)
            case ast.arg(arg=name):
                yield node.lineno, name
            case ast.Module(body=body):
                yield from variables(body)
            case _:
                pass


def variables(body: list[ast.stmt]) -> Iterator[tuple[int, str]]:
    """Return the names that the statements of a module or a class assign to."""
    for statement in body:
        if isinstance(statement, ast.Assign | ast.AnnAssign):
            for node in ast.walk(statement):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    yield node.lineno, node.id


def test_names_are_of_our_vocabulary() -> None:
    """CONTRIBUTING.md lists the words to take instead."""
    assert [fault for path in FILES for fault in faults(path, sources.text(path))] == []


def test_names_are_standard_words() -> None:
    """Classes, functions, parameters, variables of modules and classes, and CTEs."""
    assert [name for path in FILES for name in private_names(path, sources.text(path))] == []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("store/utils.py", ""),
        ("data.py", ""),
        ("novu.py", "class NovuManager: ..."),
        ("store/notifications/due.py", "async def fetch_rows(): ..."),
        ("loops/loop.py", "class Loop:\n    def onTick(self): ..."),
        ("loops/rescue.py", "def to_DLQ(): ..."),
    ],
)
def test_a_foreign_word_is_reported(name: str, source: str) -> None:
    """Whole words count, in snake case and in camel case."""
    assert len(list(faults(Path(name), source))) == 1


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("temporal/strangers.py", ""),
        ("a.py", "class Orchestra: ..."),
        ("a.py", "def _told(): ..."),
        ("a.py", "def f(*, wish: int = 0): ..."),
        ("a.py", "_WHOLE = 1"),
        ("a.py", "class Lanes:\n    fate: str = ''"),
        ("a.py", "X = 'WITH mine AS MATERIALIZED (SELECT 1)'"),
    ],
)
def test_a_private_word_is_reported(name: str, source: str) -> None:
    """It is found in the name of a file, a class, a function, a parameter, a variable, a field or a CTE."""
    assert list(private_names(Path(name), source))


def test_a_part_of_a_word_does_not_count() -> None:
    """`package` contains `ack`, `ticket` contains `tick`, and `string` contains `ring`."""
    source = "def package(): ...\nclass NotificationProcessingWorkflow:\n    def ticket(self, string): ..."

    assert list(faults(Path("metadata.py"), source)) == []
    assert list(private_names(Path("metadata.py"), source)) == []
