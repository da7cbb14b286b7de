"""Plain English in code and tests: docstrings, comments, help, log events and messages have no banned words."""

import ast
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house import sources
from tests.house.test_english import faults, prose

ALLOWED: frozenset[tuple[str, str]] = frozenset()
"""Honest uses: a file, and a phrase in it that is not checked."""

FILES = tuple(
    path
    for path in sources.files()
    if path.suffix in {".py", ".sql"}
    and path.parts[0] in {"xnovu_poller", "migrations", "benchmarks", "tests"}
)


def read_texts(path: Path, source: str) -> Iterator[tuple[int, str]]:
    """Return the texts of a file for people, each with its line; of SQL, all of it.

    Of a test, these are docstrings and comments: its other strings are examples, or what the code must print.
    """
    if path.suffix == ".sql":
        yield 1, source
        return
    yield from read_docstrings(source) if path.is_relative_to("tests") else read_strings(source)
    yield from read_comments(source)


def read_docstrings(source: str) -> Iterator[tuple[int, str]]:
    """Return the strings that are statements of their own: docstrings, also those of variables."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.lineno, str(node.value.value)


def read_strings(source: str) -> Iterator[tuple[int, str]]:
    """Return the string literals with more than one word; a formatted string without its values."""
    parts: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            parts |= {id(part) for part in node.values}
            literals = [part.value if isinstance(part, ast.Constant) else "…" for part in node.values]
            yield node.lineno, "".join(map(str, literals))
        elif isinstance(node, ast.Constant) and id(node) not in parts and len(str(node.value).split()) > 1:
            yield node.lineno, str(node.value)


def read_comments(source: str) -> Iterator[tuple[int, str]]:
    """Return the comments; comments on consecutive lines are one text."""
    first, last, lines = 0, 0, list[str]()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        line = token.start[0]
        if lines and line != last + 1:
            yield first, "\n".join(lines)
            lines = []
        if not lines:
            first = line
        lines.append(token.string.lstrip("# "))
        last = line
    if lines:
        yield first, "\n".join(lines)


def find_faults(path: Path, source: str) -> Iterator[str]:
    """Return each banned word of a file with its place."""
    for line, text in read_texts(path, source):
        checked = prose(text)
        for file, phrase in ALLOWED:
            if file == str(path):
                checked = checked.replace(phrase, "")
        for fault in faults(checked):
            yield f"{path}:{line}, {fault}"


def test_the_code_is_in_plain_english() -> None:
    """CONTRIBUTING.md, *English*, lists the words to take instead."""
    assert [fault for path in FILES for fault in find_faults(path, sources.text(path))] == []


def test_an_allowed_phrase_is_there() -> None:
    """Remove a phrase from the list when its file no longer needs it."""
    assert [(file, phrase) for file, phrase in ALLOWED if phrase not in sources.text(Path(file))] == []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("a.py", '"""Return what was told."""'),
        ("a.py", 'def f():\n    """Whoever calls it waits."""'),
        ("a.py", "# It is not\n# to wait."),
        ("a.py", "x = 1  # say so"),
        ("a.py", 'raise ValueError("so many of them")'),
        ("a.py", 'f"{x} is to be {y}"'),
        ("a.sql", "-- Whatever is due.\nSELECT 1;"),
        ("tests/a.py", 'X = 1\n"""Whoever asks."""'),
        ("tests/a.py", "# Say so."),
    ],
)
def test_a_banned_word_in_code_is_reported(name: str, source: str) -> None:
    """It is found in docstrings, comments of several lines, messages, formatted strings and SQL."""
    assert list(find_faults(Path(name), source))


def test_the_strings_of_a_test_are_its_own() -> None:
    """A test may quote banned words, as an example or as the output of a program."""
    assert list(find_faults(Path("tests/a.py"), 'assert output == "whoever says so"')) == []


def test_code_is_not_english() -> None:
    """Names, code in backticks, and strings of one word are not checked."""
    source = '"""Return `told` for one call."""\ntold = {"says": 1}\n\n# One\n\nis_to = 2  # comment\n'

    assert list(find_faults(Path("a.py"), source)) == []
