"""The regular expressions of a schema: weighed before they are used, and stopped when they take too long.

The engine is linear in the text, but it is linear in the compiled pattern as well: `(a|b){4000}` takes a second for
each 20 KB of text. Neither the time to compile a pattern nor its size shows in its text. So the engine itself weighs each
pattern, by compiling it under growing limits. Source: regex, "Untrusted input".
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jsonschema_rs

from xnovu_poller.errors import PayloadInvalid

MOST_PATTERNS = 100
"""The most different patterns of a schema."""

LONGEST_PATTERN = 1_000
"""The most characters of a pattern."""

MOST_PATTERN_TEXT = 8_000
"""The most characters of all patterns of a schema."""

MOST_WIDE = 64
"""The most Unicode classes; where a pattern ignores case, each counts as `_FOLDED`, because the engine folds its ranges."""

MOST_PATTERN_BYTES = 4 << 20
"""The most memory of all compiled patterns of a schema."""

MOST_SCANNED = 10**9
"""Bytes of text times bytes of the patterns that run on them, in a check: about a tenth of a second."""

CACHE_BYTES = 32 << 10
"""The memory that each pattern may use to run faster."""

_LIMITS = (4 << 10, 64 << 10, 512 << 10, MOST_PATTERN_BYTES)
_FOLDED = 8
_CALL = 20_000
"""What starting a pattern costs, as bytes times bytes."""

_IGNORES_CASE = re.compile(r"\(\?[a-zA-Z]*i")
_CLASS = re.compile(r"\\[pP]")
_WIDE_IF_FOLDED = re.compile(r"\\[DPSUWpux]|\[:\^|[^\x00-\x7f]")
_LOOKS_AROUND = re.compile(r"\(\?<?[=!]")
_REFERS_BACK = re.compile(r"\\(?:[1-9]|k<)")


def options(size: int = MOST_PATTERN_BYTES) -> jsonschema_rs.RegexOptions:
    """Return the options of the engine under a limit of bytes for each pattern."""
    return jsonschema_rs.RegexOptions(size_limit=size, dfa_size_limit=CACHE_BYTES)


def quote(text: str, most: int = 60) -> str:
    """Return a text of a tenant for a sentence: cut, in quotation marks, its control characters escaped."""
    return repr(text if len(text) <= most else f"{text[:most]}…")


class Patterns:
    """The different patterns of a schema, and the text that they may still scan in the check that runs.

    Attributes:
        weight: bytes of all of them, compiled.
    """

    def __init__(self) -> None:
        self.weight = 0
        self._text = 0
        self._wide = 0
        self._compiled: dict[str, _Pattern] = {}
        self._left = 0

    def add(self, pattern: str) -> int:
        """Weigh a pattern and keep it; return its weight in bytes.

        Raises:
            PayloadInvalid: it is no pattern, or it is too heavy, by itself or with those before it.
        """
        if pattern not in self._compiled:
            self._count(pattern)
            self._compiled[pattern] = _weigh(pattern, MOST_PATTERN_BYTES - self.weight)
            self.weight += self._compiled[pattern].weight
        return self._compiled[pattern].weight

    @property
    def memory(self) -> int:
        """The bytes that they may take; the validator compiles those of `patternProperties` once more."""
        return 2 * self.weight + len(self._compiled) * CACHE_BYTES

    def keyword(self) -> type:
        """Return the keyword `pattern` for the validator, which runs these patterns within the limit of a check."""
        patterns = self

        class Keyword:
            def __init__(self, _parent: dict[str, Any], value: Any, _path: list[str | int]) -> None:  # noqa: ANN401 - JSON
                self._pattern = patterns._compiled[value]

            def validate(self, instance: object) -> None:
                if isinstance(instance, str) and not patterns._matches(self._pattern, instance):
                    raise ValueError

        return Keyword

    def begin(self) -> None:
        """Begin a check."""
        self._left = MOST_SCANNED

    @property
    def exhausted(self) -> bool:
        """Whether the check has used up its limit, so that its answer is void."""
        return self._left < 0

    def _count(self, pattern: str) -> None:
        """Refuse what takes long only to read."""
        self._text += len(pattern)
        self._wide += _count_wide(pattern)
        for amount, most, what in (
            (len(self._compiled) + 1, MOST_PATTERNS, "different patterns"),
            (len(pattern), LONGEST_PATTERN, "characters in a pattern"),
            (self._text, MOST_PATTERN_TEXT, "characters in all patterns"),
            (
                self._wide,
                MOST_WIDE,
                "Unicode classes in all patterns (without regard to case, each counts eight)",
            ),
        ):
            if amount > most:
                raise PayloadInvalid.by_schema(f"has more than {most} {what}, with {quote(pattern)}")

    def _matches(self, pattern: "_Pattern", text: str) -> bool:
        size = len(text) if text.isascii() else len(text.encode(errors="replace"))
        self._left -= _CALL + size * pattern.weight
        return self._left >= 0 and pattern.is_valid(text)


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A compiled pattern; `weight` is its size in bytes, rounded up to a limit."""

    is_valid: Callable[[str], bool]
    weight: int


def _count_wide(pattern: str) -> int:
    if _IGNORES_CASE.search(pattern):
        return _FOLDED * len(_WIDE_IF_FOLDED.findall(pattern))
    return len(_CLASS.findall(pattern))


def _weigh(pattern: str, left: int) -> _Pattern:
    for limit in _LIMITS:
        size = min(limit, left)
        try:
            compiled = jsonschema_rs.validator_for(
                {"pattern": pattern}, pattern_options=options(size), offline=True
            )
        except (jsonschema_rs.ValidationError, ValueError):
            if size == left:
                break
        else:
            return _Pattern(compiled.is_valid, size)
    raise PayloadInvalid.by_schema(_refusal(pattern))


def _refusal(pattern: str) -> str:
    if _LOOKS_AROUND.search(pattern):
        return f"is not a JSON Schema that can be checked: pattern {quote(pattern)}: look-ahead and look-behind are not supported"
    if _REFERS_BACK.search(pattern):
        return f"is not a JSON Schema that can be checked: pattern {quote(pattern)}: back-references are not supported"
    if _is_pattern(pattern):
        return f"is too large: pattern {quote(pattern)} makes its patterns larger than {MOST_PATTERN_BYTES >> 20} MiB"
    return f"is not a JSON Schema: pattern {quote(pattern)} is not a regular expression"


def _is_pattern(pattern: str) -> bool:
    """Return whether a pattern is well formed; this only parses it."""
    return jsonschema_rs.is_valid({"format": "regex"}, pattern, validate_formats=True)
