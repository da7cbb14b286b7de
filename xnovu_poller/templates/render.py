"""Compile templates once, and fill them with payloads.

A tenant's text is never executed: `language` reads it as data. What a template made is kept by its text, so that a row
which changes otherwise is not compiled again, and nothing is ever shown that its row no longer has.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from sys import getsizeof
from typing import Any, NamedTuple

from xnovu_poller.cache import WeightedCache
from xnovu_poller.errors import TemplateFailed, TemplateUnsafe
from xnovu_poller.lifecycle import Channel
from xnovu_poller.templates.channels import BODIES, SUBJECT, Rendered, finish, join_lines
from xnovu_poller.templates.language import Program, State, Unfit, compile_template, sanitize, to_plain, write

CACHED_BYTES = 48 << 20
"""The memory of all compiled templates that a `Renderer` keeps, about."""

MAX_SUBJECT = 4_000
"""The most characters of the template of a subject."""


@dataclass(frozen=True, slots=True)
class TemplateSource:
    """A template as its row holds it, with what it uses.

    Attributes:
        owner: the enterprise of the template; None if it is global.
        channel: the channel that sets the format of the body.
        subject: None if the template has none.
        body: the text of the body.
        defaults: values for names that the variables lack.
        format: html or text; None for what the channel shows.
        trusted: whether the filter `n` is allowed; the body is cleaned if it was used.
        parts: the texts of layouts and partials, by their keys.
    """

    owner: str | None
    channel: Channel
    subject: str | None
    body: str
    defaults: Mapping[str, Any] = field(default_factory=dict)
    format: str | None = None
    trusted: bool = False
    parts: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_html(self) -> bool:
        """Whether the body is HTML: in mail always, in the inbox if the row has that format."""
        return BODIES[self.channel].html or (self.channel is Channel.IN_APP and self.format == "html")


class _Part(NamedTuple):
    """A text that a template makes: its subject or its body."""

    name: str
    text: str
    html: bool
    limit: int
    source: int


class Renderer:
    """Renders templates with payloads; keeps what it has compiled, up to a total weight."""

    def __init__(self, cached_bytes: int = CACHED_BYTES) -> None:
        self._compiled: WeightedCache[Program | TemplateUnsafe] = WeightedCache(cached_bytes)
        self._hits = self._misses = 0

    def compile(self, template: TemplateSource) -> None:
        """Compile a template and what it uses, unless they are kept; `render` then takes less time at once."""
        for part in [_body(template), *([] if template.subject is None else [_subject(template.subject)])]:
            waiting, keys = [part], set(template.parts)
            while waiting:
                program = self._get(template, waiting.pop())
                used = keys.intersection(program.uses) if isinstance(program, Program) else set[str]()
                keys -= used
                waiting += [_used(template, part, key) for key in used]

    def render(
        self,
        template: TemplateSource,
        variables: Mapping[str, Any],
        *,
        locale: str | None = None,
        time_zone: str | None = None,
    ) -> Rendered:
        """Fill a template.

        Args:
            template: the template; it is compiled at its first use.
            variables: JSON values by name; they take precedence over the template's defaults.
            locale: whose words dates, numbers and lists have, such as `de_CH`; English if None or unknown.
            time_zone: the zone of dates and times, such as `Europe/Berlin`; UTC if None.

        Returns:
            The text for the template's channel; a mail with its text without HTML.

        Raises:
            TemplateUnsafe: the template uses something that is not allowed; nothing was executed.
            TemplateFailed: a value is missing or does not fit, a layout or partial is missing, or the result is too long.
        """
        values = {**template.defaults, **variables} if template.defaults else variables
        subject = None
        body = finish(template.channel, self._fill(template, _body(template), values, locale, time_zone))
        if template.subject is not None:
            subject = join_lines(self._fill(template, _subject(template.subject), values, locale, time_zone))
        return Rendered(subject, body, to_plain(body) if template.channel is Channel.EMAIL else None)

    def take_lookups(self) -> tuple[int, int]:
        """Return how many lookups found a compiled template since the last call, and how many did not."""
        lookups = self._hits, self._misses
        self._hits = self._misses = 0
        return lookups

    def _fill(
        self,
        template: TemplateSource,
        part: _Part,
        values: Mapping[str, Any],
        locale: str | None,
        time_zone: str | None,
    ) -> str:
        state = State(values, part.name, part.limit, lambda key: self._find(template, part, key))
        state.locale, state.time_zone = locale, time_zone
        try:
            write(self._require(template, part), state)
            if not state.is_raw:
                return "".join(state.out)
            clean = sanitize("".join(state.out))
            if len(clean) > part.limit:
                raise state.too_long()
        except Unfit as unfit:  # text outside of all constructs, or the whole text: they have no line
            raise TemplateFailed(unfit.reason) from None
        return clean

    def _find(self, template: TemplateSource, part: _Part, key: str) -> Program:
        """Return the program of a layout or a partial; raise Unfit if it is missing."""
        if key not in template.parts:
            raise Unfit(f"the layout or partial {key} is missing; publish a template of this key and channel")
        return self._require(template, _used(template, part, key), key)

    def _require(self, template: TemplateSource, part: _Part, key: str | None = None) -> Program:
        """Return the program of a template, or of one of its parts.

        Raises:
            TemplateUnsafe: it uses something that is not allowed.
        """
        program = self._get(template, part)
        if isinstance(program, TemplateUnsafe):
            # A new error, because an error that was raised keeps every frame that it passed through.
            raise TemplateUnsafe(program.line, program.column, f"{part.name}: {program.reason}", key)
        return program

    def _get(self, template: TemplateSource, part: _Part) -> Program | TemplateUnsafe:
        trusted = template.trusted and part.html
        key = (part.text, part.html, trusted, part.source)
        kept = self._compiled.find(template.owner, key)
        if kept is not None:
            self._hits += 1
            return kept
        self._misses += 1
        return self._compiled.get(template.owner, key, lambda: _compile(part, trusted=trusted))


def _body(template: TemplateSource) -> _Part:
    channel = BODIES[template.channel]
    return _Part("body", template.body, template.is_html, channel.limit, channel.source)


def _used(template: TemplateSource, part: _Part, key: str) -> _Part:
    """Return a layout or a partial as a piece of the text that uses it."""
    return part._replace(text=template.parts[key], source=BODIES[template.channel].source)


def _subject(text: str) -> _Part:
    return _Part("subject", text, SUBJECT.html, SUBJECT.limit, MAX_SUBJECT)


def _compile(part: _Part, *, trusted: bool) -> tuple[Program | TemplateUnsafe, int]:
    """Return a program or its refusal, and the memory that it takes."""
    try:
        program = compile_template(part.text, html=part.html, trusted=trusted, limit=part.source)
    except TemplateUnsafe as unsafe:
        return TemplateUnsafe(unsafe.line, unsafe.column, unsafe.reason), getsizeof(part.text)
    return program, program.weight
