"""Render a template with values, and find the place where it fails."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from xnovu_poller.errors import TemplateError, TemplateFailed, TemplateUnsafe
from xnovu_poller.lifecycle import Language
from xnovu_poller.templates.channels import Rendered
from xnovu_poller.templates.render import Renderer, TemplateSource


class Failure(NamedTuple):
    """Why a template made no text.

    Attributes:
        text: subject or body.
        part: the key of the layout or partial that failed; None for the template itself.
        line: None if the text as a whole is at fault.
        column: None if only the line is known.
    """

    reason: str
    text: str
    part: str | None
    line: int | None
    column: int | None


def attempt(
    renderer: Renderer, source: TemplateSource, variables: Mapping[str, Any], language: Language
) -> Rendered | Failure:
    """Return what a template makes of values, or where it fails; the body comes first."""
    text = "body"
    try:
        rendered = renderer.render(replace(source, subject=None), variables, **language._asdict())
        if source.subject is None:
            return rendered
        text = "subject"
        return renderer.render(source, variables, **language._asdict())
    except TemplateUnsafe as error:
        reason = error.reason.removeprefix(f"{text}: ")
        return Failure(reason, text, error.part, error.line, error.column)
    except TemplateFailed as error:
        return Failure(error.reason, text, error.part, error.line, None)
    except TemplateError as error:
        return Failure(str(error), text, None, None, None)
