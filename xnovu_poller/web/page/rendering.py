"""Render the page's templates: values are escaped, and characters that a reader would not see are shown."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from xnovu_poller import __version__
from xnovu_poller.story.story import format_span
from xnovu_poller.visible import make_visible

NAVIGATION = (
    ("Now", "/"),
    ("Notifications", "/notifications"),
    ("Rules", "/rules"),
    ("Workflows", "/workflows"),
    ("Templates", "/templates"),
    ("Enterprises", "/enterprises"),
    ("Doctor", "/doctor"),
)
"""The views, in the order of the navigation."""

NOTHING = "—"

_COMMAND = re.compile("`([^`\n]+)`")

_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def _finish(value: object) -> object:
    """Return a value as a template prints it; a tenant's text must not turn the direction of what follows."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return make_visible(value, "\n")
    return NOTHING if value is None else value


def duration(value: timedelta | float | None) -> str:
    """Return a duration in its two largest units."""
    if value is None:
        return NOTHING
    seconds = max(0, round(value.total_seconds() if isinstance(value, timedelta) else value))
    largest = next((place for place, (size, _) in enumerate(_UNITS) if seconds >= size), len(_UNITS) - 1)
    parts: list[str] = []
    for size, unit in _UNITS[largest : largest + 2]:
        if seconds >= size or not parts:
            parts.append(f"{seconds // size} {unit}")
        seconds %= size
    return " ".join(parts)


def moment(value: datetime | None) -> Markup:
    """Return a time as its reader sees it: in UTC, with the exact time for machines."""
    if value is None:
        return Markup("&mdash;")
    at = value.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(), f"{at:%Y-%m-%d %H:%M:%S} UTC")


def ago(value: datetime | None, now: datetime | None = None) -> Markup:
    """Return how long ago a time was, or how far ahead it is, with the exact time as its title."""
    if value is None:
        return Markup("&mdash;")
    at, since = value.astimezone(UTC), (now or datetime.now(UTC)) - value
    words = f"{duration(since)} ago" if since >= timedelta(0) else f"in {duration(-since)}"
    return Markup('<time datetime="{0}" title="{1:%Y-%m-%d %H:%M:%S} UTC">{2}</time>').format(
        at.isoformat(), at, words
    )


def precise(value: timedelta | float | None) -> str:
    """Return a duration with the tenths that count: 0.4 s, 12 s, 5 min."""
    return (
        ""
        if value is None
        else format_span(value if isinstance(value, timedelta) else timedelta(seconds=value))
    )


def framed(html: str) -> Markup:
    """Return HTML for the `srcdoc` of a sandboxed frame: escaped for the attribute, and otherwise as it is."""
    return escape(html)


def tojson_text(value: object) -> str:
    """Return a value as JSON for a reader; it is escaped like other texts."""
    return json.dumps(value, ensure_ascii=False)


def marked(sentence: str) -> Markup:
    """Return a sentence whose commands, which stand between backticks, look like commands."""
    return Markup(_COMMAND.sub(r"<code>\1</code>", str(escape(make_visible(sentence, "\n")))))  # noqa: S704 - it is escaped


def number(value: float | None) -> str:
    """Return a number with its thousands apart."""
    return NOTHING if value is None else f"{value:,.0f}"


def rate(value: float | None) -> str:
    """Return a rate as a person would write it."""
    return NOTHING if value is None else f"{value:g}"


ENVIRONMENT = Environment(
    loader=PackageLoader("xnovu_poller.web.page"),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=_finish,
    trim_blocks=True,
    lstrip_blocks=True,
)
ENVIRONMENT.filters |= {"ago": ago, "duration": duration, "moment": moment, "number": number}
ENVIRONMENT.filters |= {"rate": rate, "precise": precise, "tojson_text": tojson_text, "framed": framed}
ENVIRONMENT.filters |= {"marked": marked}
ENVIRONMENT.globals |= {"navigation": NAVIGATION, "version": __version__}


def render(template: str, values: Mapping[str, Any]) -> str:
    """Return the HTML of a template.

    Args:
        template: the name of a file in `templates/`.
        values: all that it names; a missing value is an error.
    """
    return ENVIRONMENT.get_template(template).render(values)
