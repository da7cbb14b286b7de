"""Plain English: text for people does not contain the words and phrases in `BANNED`."""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.house import sources

BANNED: Mapping[str, str] = {
    r"told|tells?|telling": "name the fact: the log contains, /status shows",
    r"said|says?|saying": "contains, shows, means",
    r"whoever|whatever": "if somebody, any",
    r"lest": "so that … not",
    r"mute": "does not answer",
    r"upon": "on",
    r"so long|so many": "this long, this many",
    r"alone": "only, by itself",
    r"(?:is|are|was|were) (?:not )?to(?= [a-z]+)": "must, should",
    r"(?-i:what) (?:is|are|was|were|has|had)": "name the thing",
    r"(?:the|this|that|each|every|any|no|an?|which|another|other|last|first|next|old|new|own) one(?!-)": "name it",
    r"ones|one's|one (?=(?:who|that|which|may|can|has|is|does)\b)": "name it",
}
"""Each pattern, matched as whole words, with the words to use instead."""

_BANNED = [(re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE), instead) for pattern, instead in BANNED.items()]

DOCUMENTS = tuple(
    path
    for path in sources.files()
    if path.suffix == ".md"
    and (
        str(path) in {"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"}
        or path.parent == Path("docs")
    )
)
"""The documents; decision records are history and stay as they were written."""


LONGEST = 130
"""Characters of a line of prose."""


def prose(markdown: str) -> str:
    """Return a document without its code, whose words are others'; line numbers stay."""
    without_blocks = re.sub(
        r"^```.*?^```", lambda block: "\n" * block[0].count("\n"), markdown, flags=re.MULTILINE | re.DOTALL
    )
    return re.sub(r"`[^`]*`", lambda span: "`" + "\n" * span[0].count("\n") + "`", without_blocks)


def documents() -> Iterator[tuple[str, str]]:
    """Return each document with its prose."""
    for path in DOCUMENTS:
        yield str(path), prose(sources.text(path))


READ: tuple[Callable[[], Iterator[tuple[str, str]]], ...] = (documents,)
"""Functions that return (name, text) of texts for people. Add a function for a new kind of text."""

TEXTS = [text for read in READ for text in read()]


def faults(text: str) -> Iterator[str]:
    """Return each banned word with its line and what to write instead."""
    # A phrase may go on in the next line.
    flat = text.replace("\n", " ")
    for pattern, instead in _BANNED:
        for found in pattern.finditer(flat):
            yield f"line {text.count(chr(10), 0, found.start()) + 1}: {found[0]!r}; better: {instead}"


def test_a_document_has_no_banned_word() -> None:
    """CONTRIBUTING.md, *English*, is the rule."""
    assert [f"{name}, {fault}" for name, text in TEXTS for fault in faults(text)] == []


@pytest.mark.parametrize(
    "text",
    [
        "It tells what it does",
        "the log says so",
        "Whoever asks",
        "upon a claim",
        "The row is not to be sent",
        "delete what is old",
        "a group, and another one",
        "the last ones",
        "it starts\nso many times",
        "this workflow alone",
    ],
)
def test_a_banned_word_is_reported(text: str) -> None:
    """It is found across lines and at the beginning of a sentence too."""
    assert list(faults(text))


def test_other_words_pass() -> None:
    """Parts of words, numbers, questions, and code pass."""
    text = "An uploaded essay, one row. Where is one? Move it to the last line. What is due? It is 3 to 5.\n"

    assert list(faults(prose(f"{text}`xnovu tell`\n```sh\nsay so\n```\n"))) == []


def long_lines(markdown: str) -> list[int]:
    """Return the lines of prose that are too long to read; tables and code may have any length."""
    lines = enumerate(prose(markdown).splitlines(), start=1)
    return [number for number, line in lines if len(line) > LONGEST and not line.startswith("|")]


def test_prose_is_wrapped() -> None:
    """Readers of the source see whole lines, and a diff shows the changed words."""
    assert [f"{path}:{line}" for path in DOCUMENTS for line in long_lines(sources.text(path))] == []


def test_a_long_line_is_reported() -> None:
    """It is reported in prose, but not in a table."""
    assert long_lines("a\n" + "b" * 131 + "\n|" + "c" * 131) == [2]


def test_there_are_documents_to_check() -> None:
    """A rule over an empty list would always hold."""
    assert len(DOCUMENTS) > 10
