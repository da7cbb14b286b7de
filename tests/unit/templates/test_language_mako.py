"""What we accept, Mako writes in the same way."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mako.lookup import TemplateLookup
from mako.template import Template

from tests.support.filling import fill
from xnovu_poller.errors import TemplateUnsafe


class Data(dict[str, Any]):
    """An object of JSON whose keys Mako reads as attributes."""

    def __getattr__(self, key: str) -> Any:  # noqa: ANN401 - any value of JSON
        """Return the value of a key."""
        return self[key]


VARIABLES: Mapping[str, Any] = {
    "a": "tea & <rye>",
    "n": 3,
    "t": True,
    "z": None,
    "e": "",
    "d": Data(k="v", m=Data(x=[1, 2, 3])),
    "l": ["one", "two", "three"],
    "o": [Data(name="x", n=1), Data(name="y", n=0)],
}

PLAIN: Mapping[str, Any] = json.loads(json.dumps(VARIABLES))

PARTS = {
    "page": "<html>\n<%block name='head'>\nh\n</%block>\n<%block name='content'>none</%block>${a}</html>\n",
    "mid": "<%inherit file='page'/>\n## x\n<%block name='content'>[<%block name='inner'>i ${n}</%block>]</%block>\n",
    "row": "\n% if n > 1:\n${a} ${title}\n% endif\n",
}


OPTIONS: Mapping[str, Any] = {
    "default_filters": ["to_text"],
    "imports": ["from xnovu_poller.templates.language.values import to_text"],
    "strict_undefined": True,
}
LOOKUP = TemplateLookup(**OPTIONS)
for _key, _part in PARTS.items():
    # Mako passes the arguments of an include only to a tag that we do not have.
    LOOKUP.put_string(_key, f"<%page args='title=None'/>{_part}" if _key == "row" else _part)


def fill_by_mako(text: str) -> str:
    """Fill a template with Mako itself, which compiles it to Python."""
    return str(Template(text, lookup=LOOKUP, uri="main", **OPTIONS).render_unicode(**VARIABLES))  # noqa: S702 - see above


LEAVES = st.sampled_from(
    [
        "a",
        "n",
        "t",
        "z",
        "e",
        "d.k",
        "d['k']",
        "d.m.x[1]",
        "d.m.x[-1]",
        "l[0]",
        "l[1:][0]",
        "a[:3]",
        "'x'",
        "7",
        "len(l)",
    ]
)
NUMBERS = st.sampled_from(["n", "7", "d.m.x[0]", "len(a)", "-n"])
EXPRESSIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds("({} or {})".format, inner, inner),
        st.builds("{} and {}".format, inner, inner),
        st.builds("not {}".format, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("({} == {})".format, LEAVES, st.sampled_from(["a", "'x'", "z"])),
        st.builds("{} {} {}".format, NUMBERS, st.sampled_from(["+", "-", "*", "<", ">="]), NUMBERS),
        st.builds("{} + {}".format, st.sampled_from(["a", "d.k"]), st.sampled_from(["'!'", "l[2]"])),
        st.builds(
            "{} in {}".format,
            st.sampled_from(["'one'", "a", "'k'"]),
            st.sampled_from(["l", "a", "d", "['one', 2]"]),
        ),
    ),
    max_leaves=5,
)
PIECES = st.recursive(
    st.one_of(
        st.sampled_from(
            [
                "text\n",
                "%% of\n",
                "  ## gone\n",
                "\n",
                "<%text>${x}\n% y</%text>",
                " <b>\n",
                "é 😀\n",
                "$ { } #\n",
            ]
        ),
        st.builds("${{{}}}\n".format, EXPRESSIONS),
        st.builds(
            "${{{} | {}}}".format,
            st.sampled_from(["a", "l[0]", "' x '"]),
            st.sampled_from(["h", "trim", "u", "trim, h"]),
        ),
        st.just("<%include file='row' args=\"title='t' + a\"/>"),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map("".join),
        st.builds(
            "\n% if {}:\n{}\n% elif {}:\n{}\n% else:\n{}\n% endif\n".format,
            EXPRESSIONS,
            inner,
            EXPRESSIONS,
            inner,
            inner,
        ),
        st.builds(
            "\n% for i in l:\n{}${{i}}${{loop.index}}${{loop.first}}${{loop.last}}\n% endfor\n".format, inner
        ),
        st.builds(
            "\n  % for each in o:\n${{each.name}}{}\n  % if each.n:\n!\n  % endif\n% endfor\n".format, inner
        ),
    ),
    max_leaves=8,
)


@settings(max_examples=settings().max_examples // 2)
@given(PIECES)
def test_what_we_accept_mako_writes_in_the_same_way(text: str) -> None:
    """The language is a part of Mako, except for a backslash at the end of a line, and for missing values."""
    try:
        filled = fill(text, PLAIN, PARTS)
    except TemplateUnsafe:  # loops of the same name inside each other
        return
    assert filled == fill_by_mako(text)


@pytest.mark.parametrize(
    "text",
    [
        "<%inherit file='page'/>",
        "<%inherit file='mid'/>",
        "<%inherit file='mid'/>\n<%block name='inner'>\n% for i in l:\n${i}\n% endfor\n</%block>\n",
        "<%inherit file='page'/><%block name='content'><%include file='row' args='title=n'/></%block>\n",
        "a <%block name='x'>b <%block name='y'>${n}</%block></%block> c",
    ],
)
def test_layouts_are_those_of_mako(text: str) -> None:
    """The lines around tags are kept, too."""
    assert fill(text, PLAIN, PARTS) == fill_by_mako(text)
