"""The patterns of tenants are weighed by the engine itself, and none runs for long."""

from collections.abc import Sequence
from typing import Any

import jsonschema_rs
import pytest

from xnovu_poller.errors import PayloadInvalid
from xnovu_poller.schemas.patterns import (
    LONGEST_PATTERN,
    MOST_PATTERN_BYTES,
    MOST_PATTERN_TEXT,
    MOST_PATTERNS,
    MOST_WIDE,
    Patterns,
)

LAWFUL = [
    "^[a-z]+$",
    r"^[\w.%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,10}$",
    r"^\+[1-9]\d{1,14}$",
    r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$",
    r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
    r"^\p{L}+$",
    r"(?i)^(mr|mrs|dr)\.?\s",
    "^.{1,200}$",
]
"""Patterns as people write them."""


def add_all(texts: Sequence[str]) -> Patterns:
    """Return the weighed patterns of a schema."""
    patterns = Patterns()
    for text in texts:
        patterns.add(text)
    return patterns


def test_patterns_that_people_write_fit_together() -> None:
    """All of them in one schema are far below each limit."""
    assert add_all(LAWFUL).weight < MOST_PATTERN_BYTES / 2


def test_a_long_unicode_class_is_accepted() -> None:
    """It is heavy, but a schema may have a few."""
    assert Patterns().add(r"^\p{L}{1,50}$") <= MOST_PATTERN_BYTES


@pytest.mark.parametrize(
    "pattern",
    ["((a{1000}){1000}){1000}", r"^\p{L}{1,500}$", "(a|b|c){60000}", r"(\p{L}{1,40}){1,40}"],
)
def test_a_pattern_whose_text_hides_its_size_is_refused(pattern: str) -> None:
    """The engine stops compiling it at the limit."""
    with pytest.raises(
        PayloadInvalid, match=r"is too large: pattern '.*' makes its patterns larger than 4 MiB"
    ):
        Patterns().add(pattern)


@pytest.mark.parametrize(
    ("patterns", "words"),
    [
        (
            [f"^p{number}$" for number in range(MOST_PATTERNS + 1)],
            f"more than {MOST_PATTERNS} different patterns",
        ),
        (["a" * (LONGEST_PATTERN + 1)], f"more than {LONGEST_PATTERN} characters in a pattern"),
        (
            [f"{number}" + "a" * 990 for number in range(9)],
            f"more than {MOST_PATTERN_TEXT} characters in all",
        ),
        ([r"\p{L}" * (MOST_WIDE + 1)], f"more than {MOST_WIDE} Unicode classes"),
        (["(?i)[a-\U0010ffff]" * 9], f"more than {MOST_WIDE} Unicode classes"),
        ([r"(?i)\S" * 9], f"more than {MOST_WIDE} Unicode classes"),
        ([f"{number}(ab|cd){{2000}}" for number in range(9)], "makes its patterns larger than 4 MiB"),
    ],
)
def test_patterns_are_limited_together(patterns: list[str], words: str) -> None:
    """Each limit has its sentence, which names the pattern that exceeds it."""
    with pytest.raises(PayloadInvalid, match=words):
        add_all(patterns)


def test_a_repeated_pattern_counts_once() -> None:
    """It is compiled once."""
    patterns = Patterns()
    assert len({patterns.add("^[a-z]+$") for _ in range(MOST_PATTERNS + 1)}) == 1
    assert patterns.weight <= 4096


def validator(pattern: str) -> tuple[Patterns, jsonschema_rs.Validator]:
    """Return a validator of lists of texts, with its patterns."""
    patterns = Patterns()
    patterns.add(pattern)
    schema: dict[str, Any] = {"items": {"pattern": pattern}}
    return patterns, jsonschema_rs.validator_for(schema, keywords={"pattern": patterns.keyword()})


def test_texts_match_as_the_engine_matches() -> None:
    """A value that is no text fits every pattern."""
    patterns, compiled = validator("^a+$")
    patterns.begin()
    assert compiled.is_valid(["a", "aa", 5, None, ["b"]])
    assert not compiled.is_valid(["a", "b"])
    assert not patterns.exhausted


@pytest.mark.parametrize("texts", [["ab" * 50_000], ["ab"] * 100_000], ids=["a long text", "many texts"])
def test_a_check_stops_when_its_patterns_have_scanned_enough(texts: list[str]) -> None:
    """The engine would take seconds: it is linear in the pattern too."""
    patterns, compiled = validator("^(a|b)*(a|b){0,4000}$")
    patterns.begin()
    assert not compiled.is_valid(texts)
    assert patterns.exhausted


def test_each_check_begins_anew() -> None:
    """An earlier payload takes nothing from the next."""
    patterns, compiled = validator("(a|b)*a(a|b){4000}c")
    patterns.begin()
    compiled.is_valid(["ab" * 50_000])
    patterns.begin()
    assert not compiled.is_valid(["ab"])
    assert not patterns.exhausted
