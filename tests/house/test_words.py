"""One word for one thing: names that say nothing, or say it as others do, do not pass."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house import sources

EMPTY = {"util", "utils", "helper", "helpers", "common", "manager", "handler"}
"""They say nothing of what a thing does, wherever they stand."""

ROOMLESS = {"process", "data"}
"""Honest words, but no name of a room."""

FOREIGN = {"job", "jobs", "fetch", "dequeue", "ack", "tick", "zombie", "stale", "dlq"}
"""Others' words: we say notification, hold, claim, record, turn, late, dead."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def words(name: str) -> set[str]:
    """Take a name apart, whichever way its words are joined."""
    return {word.lower() for word in _WORD.findall(name)}


def faults(path: Path, source: str) -> Iterator[str]:
    """Name what breaks the rule in one file."""
    if words(path.stem) & (EMPTY | ROOMLESS | FOREIGN):
        yield str(path)
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                if words(name) & (EMPTY | FOREIGN):
                    yield f"{path}:{node.lineno} {name}"
            case _:
                pass


@pytest.mark.parametrize("path", sources.python("xnovu_poller", "migrations"), ids=str)
def test_names_are_of_our_vocabulary(path: Path) -> None:
    """CONTRIBUTING.md lists the words to take instead."""
    assert list(faults(path, sources.text(path))) == []


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
def test_a_foreign_word_would_be_seen(name: str, source: str) -> None:
    """Whole words count, in snake case and in camel case."""
    assert len(list(faults(Path(name), source))) == 1


def test_a_part_of_a_word_is_no_word() -> None:
    """`package` holds an `ack`, `ticket` a `tick`."""
    source = "def package(): ...\nclass NotificationProcessingWorkflow:\n    def ticket(self): ..."

    assert list(faults(Path("metadata.py"), source)) == []
