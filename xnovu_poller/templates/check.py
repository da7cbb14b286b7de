"""Find the faults of a template, before somebody should get its text."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice

from xnovu_poller.errors import TemplateUnsafe
from xnovu_poller.templates.channels import BODIES
from xnovu_poller.templates.language import compile_template
from xnovu_poller.templates.language.scan import Tag, Text, Value, scan
from xnovu_poller.templates.language.source import Source
from xnovu_poller.templates.language.state import MAX_PARTS
from xnovu_poller.templates.render import MAX_SUBJECT, TemplateSource


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of a template, or a warning.

    Attributes:
        reason: the fact, and what to write instead.
        line, column: the place in the text, from 1.
        text: subject or body.
        part: the key of the layout or partial whose body has the fault; None for the template itself.
        is_warning: the template can be sent, but perhaps its author meant something else.
    """

    reason: str
    line: int
    column: int
    text: str = "body"
    part: str | None = None
    is_warning: bool = False


_FOREIGN = {
    re.compile(r"\{\{[^{}\n]{1,200}\}\}"): "`{{…}}` is no value here and is sent as it stands; write ${…}",
    re.compile(
        r"\{%[^{}\n]{1,200}%\}"
    ): "`{% … %}` is sent as it stands; write `% if …:` on a line of its own",
}
"""What looks like another language of templates, and what to write instead."""

_INSIDE = r"""<[a-z](?:"[^"]*+"|'[^']*+'|[^"'>])*?\s"""

_OPEN = {
    re.compile(
        _INSIDE + r"""[a-z:-]++\s*+=\s*+[^\s"'>]*\Z""", re.IGNORECASE
    ): 'a value without quotes may add attributes to its tag; write ="${…}"',
    re.compile(
        _INSIDE + r"""(?:href|src)\s*+=\s*+["']?\s*+\Z""", re.IGNORECASE
    ): "the value is the whole address, or its beginning, and may be `javascript:…`; write the beginning as text: "
    "https://example.com/${path | url}",
}
"""What stands before a value that escaping does not make safe, and what to write instead."""

_LONGEST_TAG = 300
"""How far before a value its tag may begin, in characters."""

_QUIET = ", or put it between <%text> and </%text>"


MOST_WARNINGS = 20
"""The most warnings about a text."""

Known = dict[tuple[str, bool, bool, int], list[Fault]]
"""The faults of texts that were checked before: a layout is used by many templates."""


def check(template: TemplateSource, *, knows_all: bool = True, known: Known | None = None) -> list[Fault]:
    """Return the faults of a template, of its layouts and of its partials.

    Args:
        knows_all: `parts` has all layouts and partials that exist; otherwise a missing part is only a warning.
        known: the texts that need no further check; the texts of this template are added.
    """
    known = {} if known is None else known
    return [*chain.from_iterable(check_texts(template, knows_all=knows_all, known=known))]


def check_texts(template: TemplateSource, *, knows_all: bool, known: Known) -> Iterator[list[Fault]]:
    """Yield the faults of each text of a template, and of each layout and partial; a text takes less than 0.1 s."""
    limit = BODIES[template.channel].source
    texts = [("body", template.body, template.is_html, template.trusted, limit)]
    if template.subject is not None:
        texts.insert(0, ("subject", template.subject, False, False, MAX_SUBJECT))
    for name, text, html, trusted, most in texts:
        used: dict[str, str] = {}
        faults = _check_once(known, text, html=html, trusted=trusted, limit=most)
        yield [replace(fault, text=name) for fault in faults]
        followed = _follow(template, text, (), used, knows_all=knows_all)
        yield [replace(fault, text=name) for fault in followed]
        for key, part in used.items():
            faults = _check_once(known, part, html=html, trusted=trusted, limit=limit)
            yield [replace(fault, text=name, part=key) for fault in faults]


def _check_once(known: Known, text: str, *, html: bool, trusted: bool, limit: int) -> list[Fault]:
    key = (text, html, trusted, limit)
    if key not in known:
        known[key] = list(_check_text(text, html=html, trusted=trusted, limit=limit))
    return known[key]


def _check_text(text: str, *, html: bool, trusted: bool, limit: int) -> Iterator[Fault]:
    """Yield the first construct that is not allowed, or else the first that are doubtful."""
    try:
        compile_template(text, html=html, trusted=trusted, limit=limit)
    except TemplateUnsafe as unsafe:
        yield Fault(unsafe.reason, unsafe.line, unsafe.column)
        return
    doubts = chain(_find_foreign(text), _find_open_attributes(text) if html else ())
    yield from islice(doubts, MOST_WARNINGS)


def _find_foreign(text: str) -> Iterator[Fault]:
    source = Source(text)
    for construct in scan(source):
        if isinstance(construct, Text) and not text.startswith("<%text", construct.at):
            end = construct.at + len(construct.content)
            for pattern, reason in _FOREIGN.items():
                for found in pattern.finditer(text, construct.at, end):
                    yield _place(source, found.start(), reason + _QUIET, is_warning=True)


def _find_open_attributes(text: str) -> Iterator[Fault]:
    """Yield the values that may add an attribute to a tag of HTML, or choose what a link does."""
    source = Source(text)
    for construct in scan(source):
        if isinstance(construct, Value):
            first = max(construct.at - _LONGEST_TAG, 0)
            start = max(text.rfind("<", first, construct.at), first)
            before = text[start : construct.at]
            for pattern, reason in _OPEN.items():
                if pattern.match(before):
                    yield _place(source, construct.at, reason, is_warning=True)


def _follow(
    template: TemplateSource, text: str, keys: tuple[str, ...], used: dict[str, str], *, knows_all: bool
) -> Iterator[Fault]:
    """Yield the missing layouts and partials of a text and of those that it uses, and circles; collect them in `used`.

    Args:
        keys: the parts that the text is in, the innermost last.
    """
    source = Source(text)
    inside = keys[-1] if keys else None
    for key, at in name_parts(text):
        if key not in template.parts:
            yield replace(_place(source, at, *_missing(key, knows_all=knows_all)), part=inside)
        elif key in keys:
            circle = " > ".join([*keys[keys.index(key) :], key])
            yield replace(_place(source, at, f"{circle} is a circle; remove one of them"), part=inside)
        elif len(keys) == MAX_PARTS:
            reason = f"more than {MAX_PARTS} layouts and partials are inside each other; use fewer"
            yield replace(_place(source, at, reason), part=inside)
        elif key not in used:
            used[key] = template.parts[key]
            yield from _follow(template, used[key], (*keys, key), used, knows_all=knows_all)


def name_parts(text: str) -> Iterator[tuple[str, int]]:
    """Yield each layout and partial that a text names, with its place, as far as the text can be read."""
    try:
        for construct in scan(Source(text)):
            if isinstance(construct, Tag) and "file" in construct.attributes:
                yield construct.attributes["file"].text, construct.attributes["file"].at
    except TemplateUnsafe:
        return


def _missing(key: str, *, knows_all: bool) -> tuple[str, bool]:
    """Return the reason, and whether it is only a warning."""
    if knows_all:
        return f"the layout or partial {key} is missing; publish a template of this key and channel", False
    return (
        f"the layout or partial {key} is not among these files, so it was not checked; name its file too",
        True,
    )


def _place(source: Source, at: int, reason: str, is_warning: bool = False) -> Fault:  # noqa: FBT001, FBT002
    unsafe = source.refuse(at, reason)
    return Fault(reason, unsafe.line, unsafe.column, is_warning=is_warning)
