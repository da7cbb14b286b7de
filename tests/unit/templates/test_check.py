"""What is wrong with a template is found with its place, also in what it uses."""

import pytest

from xnovu_poller.lifecycle import Channel
from xnovu_poller.templates.check import MOST_WARNINGS, check, name_parts
from xnovu_poller.templates.render import TemplateSource


def places(body: str, *, subject: str | None = None, knows_all: bool = True, **parts: str) -> list[str]:
    """Return the place of each fault of a mail; a warning has a question mark."""
    found = check(TemplateSource(None, Channel.EMAIL, subject, body, parts=parts), knows_all=knows_all)
    return [
        f"{fault.part or ''} {fault.text} {fault.line}:{fault.column}{'?' * fault.is_warning}".strip()
        for fault in found
    ]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("Hello ${name}\n% if a:\nyes\n% endif\n", []),
        ("Hello\n${name.__class__}", ["body 2:8"]),
        ("a {{ name }}\n  {% if x %}", ["body 1:3?", "body 2:3?"]),
        ("<%text>{{ name }}</%text>\n## {{ name }}\n${a}", []),
        ("{ {a} } {% 5 }", []),
        ("<a href=${x}>", ["body 1:9?", "body 1:9?"]),
        ("<p>\n<td title='a' class=b-${x}>", ["body 2:23?"]),
        ('<img alt="" src="${x}"> <A HREF = \'${x}/y\'>', ["body 1:18?", "body 1:36?"]),
        ('<a title="a=${x}" href="https://e.example/${x}"> href=${x} <p id="${x}">', []),
        ('<%inherit file="base"/>', ["body 1:17"]),
        ('a\n<%include file="foot"/>', ["body 2:17"]),
        (
            "".join(f'<%include file="{n}"/>\n' for n in range(40)),
            ["body 33:1", *(f"body {n}:17" for n in range(1, 41))],
        ),
    ],
)
def test_a_fault_has_its_place(body: str, expected: list[str]) -> None:
    """What is sent as it stands, but looks like another language, is a warning."""
    assert places(body) == expected


def test_a_text_has_few_warnings() -> None:
    """Each needs its line, and a text may consist of nothing else."""
    assert len(places("{{ x }}" * 30_000)) == MOST_WARNINGS


def test_subject_and_body_are_checked() -> None:
    """Each has the first of its own faults."""
    assert places("${a b}", subject="x ${c d}") == ["subject 1:7", "body 1:3"]
    assert places("x" * 262_145) == ["body 1:262145"]


def test_what_a_template_uses_is_checked() -> None:
    """A fault in a layout or partial names it, at any depth."""
    body = '<%inherit file="base"/><%block name="a"></%block>'

    assert places(body, base='<%block name="a"></%block><%include file="foot"/>', foot="\n${x y}") == [
        "foot body 2:3"
    ]
    assert places(body, base='<%include file="foot"/>') == ["base body 1:17"]
    assert places(body, base="a ${") == ["base body 1:5"]


def test_a_circle_is_found() -> None:
    """It is named once, where it closes."""
    found = check(
        TemplateSource(
            None,
            Channel.SMS,
            None,
            '<%include file="a"/>',
            parts={"a": '<%include file="b"/>', "b": '<%include file="a"/>'},
        )
    )

    assert [(fault.part, fault.reason) for fault in found] == [
        ("b", "a > b > a is a circle; remove one of them")
    ]


def test_parts_inside_each_other_end() -> None:
    """The depth is that of a rendering."""
    parts = {f"p{number}": f'<%include file="p{number + 1}"/>' for number in range(9)} | {"p9": "end"}
    found = check(TemplateSource(None, Channel.SMS, None, '<%include file="p0"/>', parts=parts))

    assert [(fault.part, fault.line, fault.column) for fault in found] == [("p7", 1, 17)]


def test_without_all_templates_a_missing_part_is_a_warning() -> None:
    """It may be in the database."""
    assert places('<%include file="foot"/>', knows_all=False) == ["body 1:17?"]


def test_the_names_of_parts_are_read_as_far_as_possible() -> None:
    """A text that cannot be read has no further parts."""
    assert [*name_parts('<%inherit file="a"/><%include file="b"/>${')] == [("a", 16), ("b", 36)]
