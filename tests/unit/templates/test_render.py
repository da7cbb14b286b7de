from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.hostile_templates import HOSTILE
from xnovu_poller.errors import TemplateError, TemplateFailed, TemplateUnsafe
from xnovu_poller.lifecycle import Channel
from xnovu_poller.templates.channels import BODIES, SUBJECT, Rendered
from xnovu_poller.templates.render import MAX_SUBJECT, Renderer, TemplateSource

DRILL = {
    "payload": {
        "building": {"name": "North & South <Hall>", "floors": [{"name": "first"}, {"name": "second"}]},
        "count": 3,
        "ratio": 0.5,
        "urgent": False,
        "nothing": None,
        "next": "Monday",
        "items": "not a method",
    },
    "name": "Ada",
}

PLAIN = [Channel.SMS, Channel.PUSH, Channel.CHAT, Channel.IN_APP]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["x", "y"]), inner, max_size=2)
    ),
    max_leaves=6,
)


class Marked(str):
    """A text that claims to be escaped."""

    __slots__ = ()

    def __html__(self) -> str:
        """Return itself."""
        return str(self)


def template(body: str, channel: Channel = Channel.SMS, **other: Any) -> TemplateSource:  # noqa: ANN401 - any field
    """Return a template as its row would hold it."""
    return TemplateSource(**{"owner": "acme", "subject": None, "channel": channel, "body": body, **other})


def body(source: str, variables: Mapping[str, Any] = DRILL, channel: Channel = Channel.SMS) -> str:
    """Return one rendered body."""
    return Renderer().render(template(source, channel), variables).body


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("Hello ${name}, see ${payload.building.floors[1].name}.", "Hello Ada, see second."),
        ("${payload['building']['floors'][-1]['name']}", "second"),
        ("${payload.count}/${payload.ratio}/${payload.urgent}/${payload.nothing}/", "3/0.5/false//"),
        ("${payload.next} ${payload.items}", "Monday not a method"),
        ("${nobody or 'friend'}", "friend"),
        ("${payload.nothing or payload.building.none or name}", "Ada"),
        ("${payload.count.deep or 'flat'}", "flat"),
        ("${'const'} ${7} ${-1.5} ${None}.", "const 7 -1.5 ."),
        ("%% of\n%% ${name}\\\n!", "% of\n% Ada\\\n!"),
        ("", ""),
    ],
)
def test_a_template_combines_text_and_values(source: str, words: str) -> None:
    """These are all features of the language."""
    assert body(source) == words


@pytest.mark.parametrize("channel", [Channel.EMAIL, Channel.IN_APP])
def test_only_values_are_escaped_where_html_is_shown(channel: Channel) -> None:
    """A value of a payload can neither become a tag nor end a quoted attribute; the inbox shows HTML if asked to."""
    source = "<b title='${payload.q}'>${payload.building.name}</b>"
    variables = {"payload": {**DRILL["payload"], "q": "' onload=\"x"}}  # type: ignore[dict-item] # DRILL is mixed
    rendered = Renderer().render(template(source, channel, format="html"), variables)
    assert rendered.body == "<b title='&#39; onload=&#34;x'>North &amp; South &lt;Hall&gt;</b>"


@pytest.mark.parametrize("channel", PLAIN)
def test_plain_channels_show_values_unescaped(channel: Channel) -> None:
    """A phone would show the escapes."""
    assert body("${payload.building.name}", channel=channel) == "North & South <Hall>"


@pytest.mark.parametrize(
    ("filters", "sms", "email"),
    [
        ("h", " &lt;a&gt; &amp; ", " &lt;a&gt; &amp; "),
        ("trim", "<a> &", "&lt;a&gt; &amp;"),
        ("h, trim", "&lt;a&gt; &amp;", "&lt;a&gt; &amp;"),
        ("trim, h", "&lt;a&gt; &amp;", "&lt;a&gt; &amp;"),
        ("u", "+%3Ca%3E+%26+", "+%3Ca%3E+%26+"),
        ("trim, u", "%3Ca%3E+%26", "%3Ca%3E+%26"),
    ],
)
def test_filters_apply_in_order_and_html_is_escaped_once(filters: str, sms: str, email: str) -> None:
    """In mail `h` repeats what happens anyway, and must not escape a second time."""
    assert body(f"${{x | {filters}}}", {"x": " <a> & "}, Channel.SMS) == sms
    assert body(f"${{x | {filters}}}", {"x": " <a> & "}, Channel.EMAIL) == email


def test_subjects_are_plain_on_one_line_even_in_mail() -> None:
    """Otherwise a line end in a value would start a header."""
    source = template("b", Channel.EMAIL, subject="Drill: ${x}\n")
    assert Renderer().render(source, {"x": "A&B\r\nBcc: all"}) == Rendered("Drill: A&B Bcc: all", "b", "b")


def test_a_template_without_a_subject_has_none() -> None:
    """A missing subject is not an empty subject."""
    assert Renderer().render(template("b"), {}).subject is None
    assert Renderer().render(template("b", subject=""), {}).subject == ""


def test_defaults_replace_missing_names() -> None:
    """The notification's values take precedence, even a null."""
    source = template("${a}${b}${c}", defaults={"a": "1", "b": "2", "c": "3"})
    assert Renderer().render(source, {"b": "B", "c": None}).body == "1B"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("\n${nobody}", "template: line 2: nobody is missing"),
        ("${payload.building.nam.deep}", "template: line 1: payload.building.nam is missing"),
        ("${payload.building.floors[2]}", r"template: line 1: payload.building.floors\[2\] is missing"),
        ("${payload.building.floors.append}", "payload.building.floors.append is missing"),
        ("${payload.building.floors['0']}", "is missing"),
        ("${payload[0]}", "is missing"),
        ("${name[3]}", "is missing"),
        ("${name.upper}", "name.upper is missing"),
        ("${payload.keys}", "payload.keys is missing"),
        ("${payload.count.real}", "payload.count.real is missing"),
        ("${payload['_class']}", "is missing"),
        ("${open}", "open is missing"),
        ("${canary}", "canary is missing"),
        ("${piece}", "piece is missing"),
        ("${x or y}", "y is missing"),
        ("${payload.building}", "an object cannot be written"),
        ("${payload.building.floors}", "a list cannot be written"),
    ],
)
def test_a_missing_value_fails_and_never_shows_a_python_object(
    source: str, reason: str, canary: list[str]
) -> None:
    """A path leads through JSON only, so it reaches neither methods nor builtins."""
    with pytest.raises(TemplateFailed, match=reason) as failed:
        body(source)
    assert "Ada" not in str(failed.value)
    assert canary == []


@pytest.mark.parametrize(
    "value",
    [Marked("<b>"), b"x", object(), {1}, (1,), 10**5000, 1e400, print],
    ids=lambda value: type(value).__name__,
)
def test_only_json_values_are_written(value: object) -> None:
    """A string marked as escaped would pass unescaped, and a huge number cannot be written."""
    with pytest.raises(TemplateFailed, match="line 1"):
        body("${x}", {"x": value})


def test_a_failure_does_not_repeat_a_value() -> None:
    """Errors reach logs and Temporal's history."""
    with pytest.raises(TemplateFailed) as failed:
        body("${x.y.z}", {"x": {"y": "secret"}})
    assert "secret" not in str(failed.value)
    assert failed.value.__context__ is None


@pytest.mark.parametrize("channel", Channel)
def test_a_body_longer_than_its_channel_allows_is_refused(channel: Channel) -> None:
    """It is not cut, because half a message may mean the opposite."""
    limit = BODIES[channel].limit
    assert len(body("${x}!", {"x": "a" * (limit - 1)}, channel)) == limit
    with pytest.raises(TemplateFailed, match=f"the body is longer than {limit} characters"):
        body("${x}!", {"x": "a" * limit}, channel)


def test_a_subject_has_a_limit_too() -> None:
    """The error names the part that is too long."""
    source = template("b", Channel.EMAIL, subject="${x}")
    with pytest.raises(TemplateFailed, match=f"the subject is longer than {SUBJECT.limit} characters"):
        Renderer().render(source, {"x": "a" * 999})


def test_rendering_stops_at_the_limit() -> None:
    """Text beyond the limit is never built, so a thousand copies of a long value take no memory."""
    with pytest.raises(TemplateFailed, match="longer"):
        body("${x}" * 500, {"x": "a" * 1_000}, Channel.SMS)


def test_escaping_counts_towards_the_limit() -> None:
    """The limit applies to the text that is sent."""
    with pytest.raises(TemplateFailed, match="longer"):
        body("${x}", {"x": "&" * 200_000}, Channel.EMAIL)


def test_no_hostile_template_is_rendered(canary: list[str]) -> None:
    """It is refused as a body, as a subject and as a partial, and at every use."""
    renderer = Renderer()
    for hostile in [each for each in HOSTILE if len(each.text) < 200][::10]:
        for _ in range(2):
            with pytest.raises(TemplateUnsafe, match="body: "):
                renderer.render(template(hostile.text), {"x": "y"})
        with pytest.raises(TemplateUnsafe, match="subject: "):
            renderer.render(template("b", subject=hostile.text), {"x": "y"})
        with pytest.raises(TemplateUnsafe, match=r"template p: .* body: "):
            renderer.render(template("<%include file='p'/>", parts={"p": hostile.text}), {"x": "y"})
    assert canary == []


@pytest.mark.parametrize(
    "value",
    [
        "${canary()}",
        "<% canary() %>",
        "<%! canary() %>",
        "\n% if canary():\n",
        "## x",
        "%%",
        "\\\n",
        "{{x}}",
        "')}",
    ],
)
def test_a_value_is_never_read_as_a_template(value: str, canary: list[str]) -> None:
    """Anybody can write a payload; only the row's own text is a template."""
    assert body("a${x}\n${x}", {"x": value}) == f"a{value}\n{value}"
    assert canary == []


def test_a_template_has_its_layouts_and_partials() -> None:
    """A mail has its text without HTML besides."""
    parts = {
        "page": "<h1>${title}</h1><%block name='content'>none</%block>",
        "line": "<p>${x} ${n | number}</p>",
    }
    source = template(
        "<%inherit file='page'/>\n<%block name='content'><%include file='line' args='x=a'/></%block>",
        Channel.EMAIL,
        subject="${title}",
        parts=parts,
    )

    rendered = Renderer().render(source, {"title": "R&D", "a": "<b>", "n": 1000}, locale="de")

    assert rendered == Rendered("R&D", "<h1>R&amp;D</h1><p>&lt;b&gt; 1.000</p>", "R&D\n\n<b> 1.000")


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({}, "template: line 2: the layout or partial p0 is missing; publish a template"),
        ({"p0": "<%include file='p0'/>"}, "template p0: line 1: p0 > p0 is a circle"),
        ({f"p{n}": f"<%inherit file='p{n + 1}'/>" for n in range(9)}, "more than 8 layouts and partials"),
        ({"p0": "${nobody}"}, "template p0: line 1: nobody is missing"),
    ],
)
def test_a_part_that_cannot_be_used_is_named(parts: dict[str, str], reason: str) -> None:
    """The line is that of the text in which it stands."""
    with pytest.raises(TemplateFailed, match=reason):
        Renderer().render(template("\n<%include file='p0'/>", parts=parts), {})


def test_a_trusted_template_shows_html_of_values_cleaned() -> None:
    """Without the flag of its row, it is refused."""
    source = "<p onclick='x'>${x}</p>${x | n}"
    trusted = template(source, Channel.EMAIL, trusted=True)
    rendered = Renderer().render(trusted, {"x": "<b>a</b><script>canary()</script>"})
    assert rendered.body == "<p>&lt;b&gt;a&lt;/b&gt;&lt;script&gt;canary()&lt;/script&gt;</p><b>a</b>"
    with pytest.raises(TemplateFailed, match="more than 200 tags"):
        Renderer().render(trusted, {"x": "<div>" * 300})
    with pytest.raises(TemplateUnsafe, match="n is allowed only in a trusted template"):
        Renderer().render(template(source, Channel.EMAIL), {"x": ""})


def test_a_changed_template_is_compiled_again() -> None:
    """Its text is the key of the cache, so nothing can show old text."""
    renderer = Renderer()
    assert renderer.render(template("old"), {}).body == "old"
    assert renderer.render(template("new"), {}).body == "new"


def test_a_long_subject_is_refused_before_it_is_read() -> None:
    """The subject itself may have 998 characters."""
    with pytest.raises(TemplateUnsafe, match=f"subject: it is longer than {MAX_SUBJECT} characters"):
        Renderer().render(template("b", subject="a" * (MAX_SUBJECT + 1)), {})


def test_a_template_is_compiled_once() -> None:
    """Its text is the key, so a change of its row that is no change of its text compiles nothing."""
    renderer = Renderer()
    for _ in range(2):
        renderer.render(template("a" * 10), {})
    assert len(renderer._compiled) == 1


def test_only_what_a_text_uses_is_compiled_for_it() -> None:
    """A subject seldom uses the layout of the body."""
    renderer = Renderer()
    parts = {"p": "<%include file='q'/>", "q": "<%include file='p'/>${x y}", "r": ""}
    renderer.compile(template("<%include file='p'/>", subject="a", parts=parts))
    assert len(renderer._compiled) == 4


def test_the_memory_of_compiled_templates_is_bounded() -> None:
    """The least recently used template is dropped, and compiled again when needed."""
    renderer = Renderer(cached_bytes=3_700)
    for number in [1, 2, 1, 3, 4, 1, 5, 6]:
        renderer.render(template(f"{number}"), {})
    kept = [str(key) for keys in renderer._compiled._kept.values() for key in keys]
    assert kept == [str((number, False, False, 65_536)) for number in "4156"]


@settings(max_examples=100)
@given(
    st.text(max_size=20),
    st.sampled_from(["${x}", "${x.y}", "${x[0] or y | u}", "${y.x or x.y or 'z'}", "${x | h, trim}"]),
    st.dictionaries(st.sampled_from(["x", "y"]), JSON),
    st.sampled_from(Channel),
)
def test_any_payload_is_rendered_or_refused(
    text: str, expression: str, variables: dict[str, Any], channel: Channel
) -> None:
    """Only our own two errors are raised."""
    try:
        words = body(text + expression, variables, channel)
    except TemplateError:
        return
    assert len(words) <= BODIES[channel].limit


@settings(max_examples=100)
@given(st.text(max_size=50))
def test_escaped_values_contain_no_markup(value: str) -> None:
    """With any value, only the author's tags are tags."""
    words = body("<i>${x}</i>", {"x": value}, Channel.EMAIL).removeprefix("<i>").removesuffix("</i>")
    assert not set("<>\"'") & set(words)
