"""Compile verified templates once, and fill them with payloads.

A tenant's text is never executed, because we write the source that Mako compiles. It is
`${piece(0)}${piece(1)}…` and depends only on the number of pieces that `verify` found. The text itself
stays in strings and tuples in a list beside it, and `piece` looks values up only in dicts and lists: it
reads no attribute of a Python object and calls nothing that a tenant wrote.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from threading import Lock
from typing import Any
from urllib.parse import quote_plus

from mako.runtime import Context
from mako.template import Template
from mako.util import FastEncodingBuffer
from markupsafe import escape

from xnovu_poller.errors import TemplateFailed, TemplateUnsafe
from xnovu_poller.lifecycle import Channel
from xnovu_poller.templates.channels import BODIES, SUBJECT, Rendered, TextFormat, join_lines
from xnovu_poller.templates.verify import Constant, Expression, Path, Piece, Text, verify

CACHED_TEMPLATES = 256
"""Compiled templates that a `Renderer` keeps; the least recently used goes first."""

_BUILDING = Lock()  # while Mako compiles, it replaces `warnings.showwarning` for the whole interpreter


@dataclass(frozen=True, slots=True)
class TemplateSource:
    """A template as its row holds it.

    Attributes:
        id: the row.
        version: a value that changes with each change of the row, such as its `updated_at`.
        channel: the channel that sets the format of the body.
        subject: None if the template has none.
        body: the text of the body.
        defaults: values for names that the variables lack.
    """

    id: int
    version: datetime | str | int
    channel: Channel
    subject: str | None
    body: str
    defaults: Mapping[str, Any] = field(default_factory=dict, compare=False)


class Renderer:
    """Renders templates with payloads; threads may share it."""

    def __init__(self, cached: int = CACHED_TEMPLATES) -> None:
        self._compile = lru_cache(maxsize=cached)(_compile)

    def render(self, template: TemplateSource, variables: Mapping[str, Any]) -> Rendered:
        """Fill a template.

        Args:
            template: the template; it is verified at its first use.
            variables: JSON values by name; they take precedence over the template's defaults.

        Returns:
            The text for the template's channel.

        Raises:
            TemplateUnsafe: the template uses something that is not allowed; nothing was executed.
            TemplateFailed: a value is missing or is neither text nor number, or the result is too long.
        """
        compiled = self._compile(template)
        if isinstance(compiled, TemplateUnsafe):
            raise TemplateUnsafe(compiled.line, compiled.column, compiled.reason)
        subject, body = compiled
        values = {**template.defaults, **variables}
        return Rendered(
            subject=None if subject is None else join_lines(subject.render(values)),
            body=body.render(values),
        )


@dataclass(frozen=True, slots=True)
class _Part:
    """The compiled subject or body of a template."""

    name: str
    format: TextFormat
    pieces: tuple[Piece, ...]
    frame: Template

    def render(self, variables: Mapping[str, Any]) -> str:
        characters_left = self.format.limit

        def piece(number: int) -> str:
            nonlocal characters_left
            text = self._fill(self.pieces[number], variables)
            characters_left -= len(text)
            self._check_length(is_within_limit=characters_left >= 0)
            return text

        # Mako's own `render` checks the values for reserved names at each call; here is only one value.
        buffer = FastEncodingBuffer()
        self.frame.callable_(Context(buffer, piece=piece))
        return str(buffer.getvalue())

    def _fill(self, piece: Piece, variables: Mapping[str, Any]) -> str:
        if isinstance(piece, Text):
            return piece.content
        text = _to_text(_choose(piece, variables), piece.line)
        self._check_length(is_within_limit=len(text) <= self.format.limit)
        for name in piece.filters:
            text = _FILTERS[name](text)
        # markupsafe does not escape again the text that `h` has escaped.
        return str(escape(text) if self.format.html else text)

    def _check_length(self, *, is_within_limit: bool) -> None:
        if not is_within_limit:
            raise TemplateFailed(f"the {self.name} is longer than {self.format.limit} characters")


def _compile(template: TemplateSource) -> tuple[_Part | None, _Part] | TemplateUnsafe:
    """Verify and compile a template; return a refusal as a value, so that the cache keeps it too."""
    try:
        subject = None if template.subject is None else _compile_part("subject", SUBJECT, template.subject)
        return subject, _compile_part("body", BODIES[template.channel], template.body)
    except TemplateUnsafe as unsafe:
        # A new error, because an error that was raised keeps every frame that it passed through.
        return TemplateUnsafe(unsafe.line, unsafe.column, unsafe.reason)


def _compile_part(name: str, text_format: TextFormat, source: str) -> _Part:
    try:
        pieces = verify(source).pieces
    except TemplateUnsafe as unsafe:
        raise TemplateUnsafe(unsafe.line, unsafe.column, f"{name}: {unsafe.reason}") from None
    return _Part(name, text_format, pieces, _compile_frame(len(pieces)))


def _compile_frame(pieces: int) -> Template:
    """Let Mako compile a template that writes the pieces in order; see the top of this file."""
    text = "".join(f"${{piece({number})}}" for number in range(pieces))
    with _BUILDING:
        return Template(  # noqa: S702 - we escape each value ourselves, by its channel
            text, default_filters=[], strict_undefined=True, enable_loop=False
        )


_FILTERS: Mapping[str, Callable[[str], str]] = {
    "h": escape,
    "trim": lambda text: text.strip(),
    "u": lambda text: quote_plus(text, errors="replace"),
}


def _choose(expression: Expression, variables: Mapping[str, Any]) -> object:
    *first, last = expression.choices
    for choice in first:
        with suppress(TemplateFailed):
            if value := _read(choice, variables, expression.line):
                return value
    return _read(last, variables, expression.line)


def _read(choice: Constant | Path, variables: Mapping[str, Any], line: int) -> object:
    if isinstance(choice, Constant):
        return choice.value
    value: object = variables
    for count, key in enumerate((choice.name, *choice.keys)):
        try:
            value = _look_up(value, key)
        except LookupError:
            raise TemplateFailed(f"{choice.to_source(count)} is missing", line) from None
    return value


def _look_up(value: object, key: str | int) -> object:
    """Return a member of a JSON object or list; never an attribute of a Python object."""
    if isinstance(value, dict) and isinstance(key, str):
        return value[key]
    if isinstance(value, list) and isinstance(key, int):
        return value[key]
    raise LookupError


def _to_text(value: object, line: int) -> str:
    # `type()` and not `isinstance`: a subclass of `str` could define `__html__` and would not be escaped.
    if value is None:
        return ""
    if type(value) not in {str, bool, int, float}:
        raise TemplateFailed(f"a value of type {type(value).__name__} cannot be written", line)
    try:
        return str(value)
    except ValueError:  # Python converts no integer of more than 4,300 digits
        raise TemplateFailed("a number is too long to be written", line) from None
