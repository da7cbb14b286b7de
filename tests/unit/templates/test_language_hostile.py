import string
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from time import thread_time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mako.template import Template

from tests.support.filling import fill
from tests.support.hostile_templates import HOSTILE, Hostile
from xnovu_poller.errors import TemplateError, TemplateFailed, TemplateUnsafe
from xnovu_poller.templates.language import compile_template

Quiet = Callable[[], AbstractContextManager[None]]

FAMILIES = sorted({hostile.family for hostile in HOSTILE})

MOST_SECONDS = 0.5
"""Of CPU, for a template; the slowest takes 0.03. Without the fence, some take minutes."""

PARTS = {"row": "${title}: ${name}.", "self": "<%include file='self'/>", "broken": "\n${x y}"}


def refuse(hostile: Hostile) -> str | None:
    """Compile a hostile template, and return how its refusal differs from the expected refusal."""
    before = thread_time()
    try:
        compile_template(hostile.text, html=False, limit=65_536)
    except TemplateUnsafe as unsafe:
        refused = (unsafe.line, unsafe.column, unsafe.reason)
    else:
        return f"{hostile} is allowed"
    if thread_time() - before > MOST_SECONDS:
        return f"{hostile} takes long"
    is_expected = refused[:2] == hostile.place and refused[2].startswith(hostile.reason)
    return None if is_expected else f"{hostile}: {refused}"


@pytest.mark.parametrize("family", FAMILIES)
def test_each_hostile_template_is_refused_at_its_place_and_runs_nothing(
    family: str, nothing_runs: Quiet, canary: list[str]
) -> None:
    """The author sees the place and the reason, the audit hook sees no code, and it takes little time."""
    with nothing_runs():
        differences = [refuse(hostile) for hostile in HOSTILE if hostile.family == family]
    assert [each for each in differences if each] == []
    assert canary == []


def test_the_corpus_of_hostile_templates_is_large() -> None:
    """If it shrank by accident, the tests would prove less, and nobody would notice."""
    assert len({hostile.text for hostile in HOSTILE}) > 850
    assert len(FAMILIES) == 10


UNITS = [
    *(
        "\\\n",
        "a\\\n",
        "\n%%",
        "\n \t",
        '\\"',
        "${",
        '${"',
        "</%",
        "#coding:",
        "\U0001f600",
        "${x}",
        "\n## x\n",
        "\n% if x:\n",
    ),
    *(
        "<%text></%text>",
        "<%text>",
        "${x | h}\n",
        "${x.y[0]}",
        "${'",
        "${(",
        "<%block name='a'>",
        "<%include file='a'/>",
    ),
    *(
        "\n##",
        "\n%",
        "\n%%%",
        "\t",
        "\r",
        "\r\n",
        "${x if y else z}",
        "${'a' + 'b'}",
        "<%include file='a' args='",
    ),
]


@pytest.mark.parametrize("unit", UNITS, ids=ascii)
def test_no_text_is_read_slowly(unit: str) -> None:
    """Without the fence, Mako's patterns take quadratic time on some of these texts: minutes."""
    before = thread_time()
    try:
        compile_template((unit * 262_144)[:262_144], html=True)
    except TemplateUnsafe as refused:
        assert refused.reason  # noqa: PT017 - a text may be allowed
    assert thread_time() - before < 2


def test_mako_itself_would_call_the_canary(canary: list[str]) -> None:
    """Mako runs code as soon as a template is constructed, so nothing else may construct a template."""
    Template("<%! canary() %>")  # noqa: S702 - the danger is the point
    assert canary == ["called"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "% for a in x:\n% for b in x:\n% for c in x:\n% endfor\n% endfor\n% endfor",
            "more than 50000 steps",
        ),
        ("% for a in x:\n% if a + long + long == a:\n% endif\n% endfor", "make more than 400000 characters"),
        ("% for a in x:\n${long}\n% endfor", "the body is longer than 100000 characters"),
        ("% for a in x:\n<%include file='row' args='title=a'/>\n% endfor", "the body is longer"),
        ("% for a in x:\n${long | u}\n% endfor", "make more than|longer than"),
        ("${long[-1]}" * 500, "more than 50000 steps"),
        ("${long | h, truncate(1)}" * 500, "more than 50000 steps"),
        ("${'e' in long}" * 500, "more than 50000 steps"),
    ],
)
def test_a_bomb_ends_at_its_budget(text: str, reason: str) -> None:
    """The product of loops is counted, and no text is made that is too long."""
    before = thread_time()
    with pytest.raises(TemplateFailed, match=reason):
        fill(text, {"x": ["<"] * 1_000, "long": "é" * 10_000, "name": "é" * 1_000}, PARTS)
    assert thread_time() - before < 1


FRAGMENTS = [
    *("${", "}", "<%", "%>", "</%", "<%!", "%", "%%", "##", "\\", "\n", "\r\n", " ", "|", ",", "'", '"'),
    *(
        "(",
        ")",
        "[",
        "]",
        "{",
        ".",
        "_",
        "x",
        "y",
        "loop",
        "self",
        "or",
        "if",
        "else",
        "not",
        "in",
        "h",
        "n",
        "0",
    ),
    *(
        "canary()",
        "<%text>",
        "</%text>",
        "<%block name='b'>",
        "</%block>",
        "<%include file='x'/>",
        "% endif\n",
    ),
    *(
        "% if x:\n",
        "% for y in x:\n",
        "% endfor\n",
        "% else:\n",
        "# coding: x\n",
        "\x00",
        "\u2028",
        "é",
        "\uff3f",
    ),
    *("${x}", "${x.y | json}", "${x or y}", "'a' * 9", "f'{x}'", "lambda: x", "+", "**", "len(x)", "==", "-"),
]


def try_all(text: str, variables: Mapping[str, Any]) -> None:
    """Fill a template, or have it refused by one of our two errors."""
    refused = None
    try:
        fill(text, variables, PARTS, limit=1_000)
    except TemplateUnsafe as unsafe:
        refused = unsafe
    except TemplateError:
        pass
    assert refused is None or 1 <= refused.line <= text.count("\n") + 1
    assert refused is None or (refused.column >= 1 and refused.reason)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["x", "y"]), inner, max_size=2)
    ),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from(FRAGMENTS), max_size=25).map("".join),
    st.dictionaries(st.sampled_from(["x", "y"]), JSON),
)
def test_fragments_of_the_language_are_filled_or_refused_and_run_nothing(
    nothing_runs: Quiet, canary: list[str], text: str, variables: dict[str, Any]
) -> None:
    """This holds for every combination of Mako's own signs, and every payload."""
    with nothing_runs():
        try_all(text, variables)
    assert canary == []


@given(st.text(alphabet=string.printable + "é名\u2028\x85", max_size=80))
def test_plain_text_is_unchanged(text: str) -> None:
    """Nothing is lost and nothing is added."""
    if "${" in text or "<%" in text or "</%" in text:
        return
    if any(line.lstrip(" \t").startswith(("%", "##")) for line in text.split("\n")):
        return
    assert fill(text, {}) == text
