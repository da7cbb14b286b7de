import json
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.house import sources
from xnovu_poller.lifecycle import Channel
from xnovu_poller.templates.render import Renderer, TemplateSource

TEXT = sources.text(Path("docs/templates.md"))
_BLOCK = re.compile(r"^```(mako|json|text|html)(?: ([^\n]*))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Example(NamedTuple):
    """A template of the page, with the text that the page shows for it."""

    template: str
    payload: str
    kind: str
    place: str
    result: str


def examples() -> Iterator[Example | tuple[str, str]]:
    """Yield the examples of the page, and the parts that they use with their keys."""
    template = payload = ""
    for kind, words, content in _BLOCK.findall(TEXT):
        if kind == "mako" and words:
            yield words, content
        elif kind == "mako":
            template = content
        elif kind == "json":
            payload = content
        else:
            yield Example(template, payload, kind, words, content)


PARTS = dict(each for each in examples() if not isinstance(each, Example))
EXAMPLES = [each for each in examples() if isinstance(each, Example)]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.template[:30])
def test_an_example_of_the_page_makes_the_text_of_the_page(example: Example) -> None:
    """Authors learn the language from these examples."""
    channel = Channel.EMAIL if example.kind == "html" else Channel.SMS
    template = TemplateSource("acme", channel, None, example.template, parts=PARTS)
    payload = json.loads(example.payload, parse_float=Decimal)
    locale, _, time_zone = example.place.partition(" ")

    rendered = Renderer().render(template, payload, locale=locale or None, time_zone=time_zone or None)

    assert rendered.body == example.result


def test_the_page_has_an_example_of_each_construct() -> None:
    """A rule over an empty list would always hold."""
    assert len(EXAMPLES) >= 8
    shown = "".join(example.template for example in EXAMPLES)
    for sign in (
        "% if",
        "% elif",
        "% for",
        "##",
        "%%",
        "<%text>",
        "<%inherit",
        "<%block",
        "<%include",
        "len(",
    ):
        assert sign in shown
