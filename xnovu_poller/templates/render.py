"""Verified templates are compiled once and filled with payloads here.

Why no word of a tenant is ever run: the source that Mako compiles is spelled by us alone. It reads
`${piece(0)}${piece(1)}…`, and depends on nothing but the number of pieces that `verify` found. The
words themselves stay strings and tuples in a list beside it, and `piece` looks values up in dicts and
lists only: no attribute of a Python object is read, and nothing that came from outside is called.
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
from xnovu_poller.templates.channels import BODIES, SUBJECT, Manner, Rendered, one_line
from xnovu_poller.templates.verify import Constant, Expression, Path, Piece, Text, verify

CACHED_TEMPLATES = 256
"""Compiled templates that a `Renderer` keeps, the least used one goes first."""

_BUILDING = Lock()  # Mako swaps `warnings.showwarning`, which is the whole interpreter's, while it compiles


@dataclass(frozen=True, slots=True)
class TemplateSource:
    """A template as its row holds it.

    Attributes:
        id: the row.
        version: what changes with each change of the row, such as its `updated_at`.
        channel: the channel whose manner the body keeps to.
        subject: None where the template has none.
        body: the words themselves.
        defaults: values for names that the variables do not have.
    """

    id: int
    version: datetime | str | int
    channel: Channel
    subject: str | None
    body: str
    defaults: Mapping[str, Any] = field(default_factory=dict, compare=False)


class Renderer:
    """Turns templates and payloads into words; safe to share among threads."""

    def __init__(self, cached: int = CACHED_TEMPLATES) -> None:
        self._compiled = lru_cache(maxsize=cached)(_compile)

    def render(self, template: TemplateSource, variables: Mapping[str, Any]) -> Rendered:
        """Fill a template.

        Args:
            template: what its author wrote, verified at its first use.
            variables: JSON values by name; they win over the template's defaults.

        Returns:
            The words for the template's channel.

        Raises:
            TemplateUnsafe: the template holds something that is not allowed; nothing was executed.
            TemplateFailed: a value is missing, is no text or number, or the result is too long.
        """
        compiled = self._compiled(template)
        if isinstance(compiled, TemplateUnsafe):
            raise TemplateUnsafe(compiled.line, compiled.column, compiled.reason)
        subject, body = compiled
        known = {**template.defaults, **variables}
        return Rendered(
            subject=None if subject is None else one_line(subject.render(known)),
            body=body.render(known),
        )


@dataclass(frozen=True, slots=True)
class _Part:
    """The subject or the body of a template, ready to be filled."""

    name: str
    manner: Manner
    pieces: tuple[Piece, ...]
    frame: Template

    def render(self, variables: Mapping[str, Any]) -> str:
        room = self.manner.limit

        def piece(number: int) -> str:
            nonlocal room
            text = self._filled(self.pieces[number], variables)
            room -= len(text)
            self._need(room >= 0)
            return text

        # Mako's own `render` looks for reserved names among the values at each call; here is but one.
        words = FastEncodingBuffer()
        self.frame.callable_(Context(words, piece=piece))
        return str(words.getvalue())

    def _filled(self, piece: Piece, variables: Mapping[str, Any]) -> str:
        if isinstance(piece, Text):
            return piece.content
        text = _plain(_chosen(piece, variables), piece.line)
        self._need(len(text) <= self.manner.limit)
        for name in piece.filters:
            text = _FILTERS[name](text)
        # What `h` has escaped already is not escaped again: markupsafe knows its own.
        return str(escape(text) if self.manner.html else text)

    def _need(self, fits: bool) -> None:  # noqa: FBT001 - a condition, not a switch
        if not fits:
            raise TemplateFailed(f"the {self.name} is longer than {self.manner.limit} characters")


def _compile(template: TemplateSource) -> tuple[_Part | None, _Part] | TemplateUnsafe:
    """Verify and compile; a refusal is a value, so that it is kept as well and costs its reading once."""
    try:
        subject = None if template.subject is None else _part("subject", SUBJECT, template.subject)
        return subject, _part("body", BODIES[template.channel], template.body)
    except TemplateUnsafe as unsafe:
        # One that was never raised, for a raised one holds on to every frame that it came through.
        return TemplateUnsafe(unsafe.line, unsafe.column, unsafe.reason)


def _part(name: str, manner: Manner, source: str) -> _Part:
    try:
        pieces = verify(source).pieces
    except TemplateUnsafe as unsafe:
        raise TemplateUnsafe(unsafe.line, unsafe.column, f"{name}: {unsafe.reason}") from None
    return _Part(name, manner, pieces, _frame(len(pieces)))


def _frame(pieces: int) -> Template:
    """Have Mako compile the order of the pieces; see the head of this module."""
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


def _chosen(expression: Expression, variables: Mapping[str, Any]) -> object:
    *first, last = expression.choices
    for choice in first:
        with suppress(TemplateFailed):
            if value := _value(choice, variables, expression.line):
                return value
    return _value(last, variables, expression.line)


def _value(choice: Constant | Path, variables: Mapping[str, Any], line: int) -> object:
    if isinstance(choice, Constant):
        return choice.value
    value: object = variables
    for count, key in enumerate((choice.name, *choice.keys)):
        try:
            value = _step(value, key)
        except LookupError:
            raise TemplateFailed(f"{choice.spelled(count)} is missing", line) from None
    return value


def _step(value: object, key: str | int) -> object:
    """Go from a JSON value to a part of it, and to nothing else that Python would find there."""
    if isinstance(value, dict) and isinstance(key, str):
        return value[key]
    if isinstance(value, list) and isinstance(key, int):
        return value[key]
    raise LookupError


def _plain(value: object, line: int) -> str:
    # `type()`, for a subclass of `str` could bring an `__html__` of its own and pass for escaped.
    if value is None:
        return ""
    if type(value) not in {str, bool, int, float}:
        raise TemplateFailed(f"a value of type {type(value).__name__} cannot be written", line)
    try:
        return str(value)
    except ValueError:  # Python writes no integer of more than 4,300 digits
        raise TemplateFailed("a number is too long to be written", line) from None
