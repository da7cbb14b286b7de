"""The texts in overrides: those with expressions are rendered, and the rest stays byte for byte."""

import json

import pytest

from xnovu_poller.delivery.overrides import MOST_TEXTS, render_overrides
from xnovu_poller.errors import TemplateFailed, TemplateUnsafe
from xnovu_poller.lifecycle import Language
from xnovu_poller.templates.render import Renderer


def rendered(overrides: str, **variables: object) -> str:
    """Return overrides, rendered in German."""
    return render_overrides(
        Renderer(), overrides.encode(), "acme", variables, Language("de", "Europe/Berlin")
    ).decode()


def test_only_texts_with_expressions_change() -> None:
    """Names, numbers, blanks and other texts keep their bytes; nothing is escaped for HTML."""
    stored = (
        '{"${name}": 1.10, "email": {"subject": "For ${name}, \\"now\\"", "from": "a\\\\", "n": [1E+400, "$x"]},'
        ' "providers": {"sendgrid": {"templateId": "d-${id}"}}, "a:b": "c: ${id}"}'
    )

    assert rendered(stored, name="A&B", id=7) == (
        '{"${name}": 1.10, "email": {"subject": "For A&B, \\"now\\"", "from": "a\\\\", "n": [1E+400, "$x"]},'
        ' "providers": {"sendgrid": {"templateId": "d-7"}}, "a:b": "c: 7"}'
    )


def test_a_doubled_dollar_writes_the_sign() -> None:
    """A provider may have expressions of its own."""
    assert (
        rendered('{"a": "$${theirs} ${ours}", "b": "$${x}"}', ours=1) == '{"a": "${theirs} 1", "b": "${x}"}'
    )


def test_dates_have_the_language_and_the_zone() -> None:
    """As in templates."""
    at = "2030-01-01T23:30:00+00:00"

    assert rendered('{"a": "${at | date(\'long\')}"}', at=at) == '{"a": "2. Januar 2030"}'


def test_all_texts_share_a_budget_of_time() -> None:
    """Each takes a third of the steps of a template; together they would keep a process for seconds."""
    heavy = "% for a in l:\n% for b in l:\n% if a == b:\n% endif\n% endfor\n% endfor\n${1}"

    with pytest.raises(TemplateFailed, match=r"overrides: they take longer than 0\.25 s"):
        rendered(json.dumps(["$${".join([heavy] * 1000)]), l=list(range(60)))


def test_a_refusal_says_that_it_is_about_overrides() -> None:
    """Its author looks into no template then."""
    with pytest.raises(TemplateFailed, match=r"overrides: .*missing"):
        rendered('{"a": "${missing}"}')
    with pytest.raises(TemplateUnsafe, match="overrides: "):
        rendered('{"a": "${open()}"}')
    with pytest.raises(TemplateFailed, match="more than 100 texts"):
        rendered("[" + ", ".join(['"${a}"'] * (MOST_TEXTS + 1)) + "]", a=1)
