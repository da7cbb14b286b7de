from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import Markup

from tests.support.hostile_templates import HOSTILE
from xnovu_poller.errors import TemplateError, TemplateFailed, TemplateUnsafe
from xnovu_poller.lifecycle import Channel
from xnovu_poller.templates.channels import BODIES, SUBJECT, Rendered
from xnovu_poller.templates.render import Renderer, TemplateSource

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

PLAIN = [Channel.SMS, Channel.PUSH, Channel.CHAT]
HTML = [Channel.EMAIL, Channel.IN_APP]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["x", "y"]), inner, max_size=2)
    ),
    max_leaves=6,
)


def template(body: str, channel: Channel = Channel.SMS, **other: Any) -> TemplateSource:  # noqa: ANN401 - any field
    """Return a template as its row would hold it."""
    return TemplateSource(
        **{"id": 1, "version": 1, "subject": None, "channel": channel, "body": body, **other}
    )


def body(source: str, variables: Mapping[str, Any] = DRILL, channel: Channel = Channel.SMS) -> str:
    """Return one rendered body."""
    return Renderer().render(template(source, channel), variables).body


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("Hello ${name}, see ${payload.building.floors[1].name}.", "Hello Ada, see second."),
        ("${payload['building']['floors'][-1]['name']}", "second"),
        ("${payload.count}/${payload.ratio}/${payload.urgent}/${payload.nothing}/", "3/0.5/False//"),
        ("${payload.next} ${payload.items}", "Monday not a method"),
        ("${nobody or 'friend'}", "friend"),
        ("${payload.nothing or payload.building.none or name}", "Ada"),
        ("${payload.count.deep or 'flat'}", "flat"),
        ("${'const'} ${7} ${-1.5} ${None}.", "const 7 -1.5 ."),
        ("%% of\n%% ${name}\\\n!", "% of\n% Ada!"),
        ("", ""),
    ],
)
def test_a_template_combines_text_and_values(source: str, words: str) -> None:
    """These are all features of the language."""
    assert body(source) == words


@pytest.mark.parametrize("channel", HTML)
def test_only_values_are_escaped_where_html_is_shown(channel: Channel) -> None:
    """A value of a payload can neither become a tag nor end a quoted attribute."""
    source = "<b title='${payload.q}'>${payload.building.name}</b>"
    variables = {"payload": {**DRILL["payload"], "q": "' onload=\"x"}}  # type: ignore[dict-item] # DRILL is mixed
    assert body(source, variables, channel) == (
        "<b title='&#39; onload=&#34;x'>North &amp; South &lt;Hall&gt;</b>"
    )


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
    assert Renderer().render(source, {"x": "A&B\r\nBcc: all"}) == Rendered("Drill: A&B Bcc: all", "b")


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
        ("${name[0]}", "is missing"),
        ("${name.upper}", "name.upper is missing"),
        ("${payload.keys}", "payload.keys is missing"),
        ("${payload.count.real}", "payload.count.real is missing"),
        ("${payload['_class']}", "is missing"),
        ("${open}", "open is missing"),
        ("${canary}", "canary is missing"),
        ("${piece}", "piece is missing"),
        ("${x or y}", "y is missing"),
        ("${payload.building}", "a value of type dict cannot be written"),
        ("${payload.building.floors}", "a value of type list cannot be written"),
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
    [Markup("<b>"), b"x", object(), {1}, (1,), 10**5000, print],
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
    assert failed.value.__suppress_context__


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
        body("${x}", {"x": "&" * 10_000}, Channel.IN_APP)


@pytest.mark.parametrize("source", [source for source, *_ in HOSTILE if len(source) < 200], ids=ascii)
def test_no_hostile_template_is_rendered(source: str, canary: list[str]) -> None:
    """It is refused as a body and as a subject, and at every use."""
    renderer = Renderer()
    for _ in range(2):
        with pytest.raises(TemplateUnsafe, match="body: "):
            renderer.render(template(source), {"x": "y"})
    with pytest.raises(TemplateUnsafe, match="subject: "):
        renderer.render(template("b", subject=source), {"x": "y"})
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


def test_a_changed_template_is_compiled_again() -> None:
    """The text is part of the cache key, so even a repeated version number cannot show old text."""
    renderer = Renderer()
    assert renderer.render(template("old"), {}).body == "old"
    assert renderer.render(template("new", version=2), {}).body == "new"
    assert renderer.render(template("newer", version=2), {}).body == "newer"


def test_the_cache_is_used_and_bounded() -> None:
    """The least recently used template is dropped, and compiled again when needed."""
    renderer = Renderer(cached=2)
    for number in [1, 2, 1, 3, 1]:
        renderer.render(template("x", id=number), {})
    kept = renderer._compile.cache_info()
    assert (kept.hits, kept.misses, kept.currsize) == (2, 3, 2)


def test_renders_in_several_threads_do_not_mix() -> None:
    """Each render has its own budget and its own payload."""
    renderer = Renderer()
    source = template("${x}" * 20)
    with ThreadPoolExecutor(4) as pool:
        words = list(pool.map(lambda x: renderer.render(source, {"x": x}).body, map(str, range(200))))
    assert words == [str(number) * 20 for number in range(200)]


@settings(max_examples=100, deadline=None)
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


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=50))
def test_escaped_values_contain_no_markup(value: str) -> None:
    """With any value, only the author's tags are tags."""
    words = body("<i>${x}</i>", {"x": value}, Channel.EMAIL).removeprefix("<i>").removesuffix("</i>")
    assert not set("<>\"'") & set(words)
