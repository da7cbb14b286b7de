"""Render the texts in a notification's overrides; everything else in them stays byte for byte."""

import json
import re
from collections.abc import Mapping
from json.encoder import encode_basestring as quote
from time import thread_time
from typing import Any

from xnovu_poller.errors import TemplateFailed, TemplateUnsafe
from xnovu_poller.lifecycle import Channel, Language
from xnovu_poller.templates.render import Renderer, TemplateSource

MOST_TEXTS = 100
"""The most texts with expressions in the overrides of a notification."""

MAX_SECONDS = 0.25
"""The most CPU seconds of all these texts together, as of one template."""

EXPRESSION = b"${"
"""What makes a text of the overrides a template."""

_LITERAL = "$${"
# A text, and the colon after it if it is a name.
_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*"(:?)')


def render_overrides(
    renderer: Renderer, overrides: bytes, owner: str, variables: Mapping[str, Any], language: Language
) -> bytes:
    """Return overrides with each text that has an expression filled. `$${` writes `${`.

    Args:
        renderer: keeps what it has compiled.
        overrides: the JSON text, as PostgreSQL prints it.
        owner: the enterprise that pays for the compiled texts.
        variables: the values by name.
        language: of dates and numbers.

    Raises:
        TemplateError: a text is not allowed, or cannot be filled with these values.
    """
    filled, started = 0, thread_time()

    def render(text: str) -> str:
        if thread_time() - started > MAX_SECONDS:
            raise TemplateFailed(
                f"overrides: they take longer than {MAX_SECONDS} s of the processor; shorten them"
            )
        return _render(renderer, text, owner, variables, language)

    def fill(found: re.Match[bytes]) -> bytes:
        nonlocal filled
        if found[1] or EXPRESSION not in found[0]:
            return found[0]
        filled += 1
        if filled > MOST_TEXTS:
            raise TemplateFailed(f"overrides: more than {MOST_TEXTS} texts have expressions")
        parts = json.loads(found[0]).split(_LITERAL)
        return quote("${".join(map(render, parts))).encode()

    return _TEXT.sub(fill, overrides)


def _render(
    renderer: Renderer, text: str, owner: str, variables: Mapping[str, Any], language: Language
) -> str:
    if "${" not in text:
        return text
    # Plain text: nobody knows which of Novu's providers shows it, and how.
    source = TemplateSource(owner, Channel.IN_APP, None, text)
    try:
        filled = renderer.render(source, variables, locale=language.locale, time_zone=language.time_zone)
    except TemplateUnsafe as unsafe:
        raise TemplateUnsafe(unsafe.line, unsafe.column, f"overrides: {unsafe.reason}") from None
    except TemplateFailed as failed:
        raise TemplateFailed(f"overrides: {failed.reason}", failed.line) from None
    return filled.body
