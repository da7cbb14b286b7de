from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from tests.support.filling import fill
from xnovu_poller.errors import TemplateFailed, TemplateUnsafe
from xnovu_poller.templates.language import compile_template

ORDER: Mapping[str, Any] = {
    "name": "Ada",
    "family": "é👩‍👩‍👧日",
    "none": None,
    "urgent": True,
    "count": 3,
    "price": Decimal("100.00"),
    "next": "not read",
    "order": {
        "from": "Rome",
        "class": {"in": "first"},
        "items": [{"name": "Tea", "price": Decimal("1.50")}, {"name": "Rye", "price": 2}],
        "empty": [],
    },
    "payload": {"next": "Monday", "_id": "x1"},
}

PARTS = {
    "page": "<html><%block name='title'>Hello</%block>|<%block name='content'>nothing</%block>|${name}</html>",
    "mail": "<%inherit file='page'/>\n## x\n<%block name='content'>[<%block name='text'>default</%block>]</%block>",
    "row": "${title}: ${name}.",
    "self": "<%include file='self'/>",
    "broken": "\n${x y}",
}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("", ""),
        ("100 % sure", "100 % sure"),
        ("%% of all\n  %%% of us", "% of all\n  %% of us"),
        ("one \\\nline \\\r\nonly", "one \\\nline \\\r\nonly"),
        ("# coding: x\n# a", "# coding: x\n# a"),
        ("$ {x} #{y} {{z}} %{q} $x <b>%</b>", "$ {x} #{y} {{z}} %{q} $x <b>%</b>"),
        ("a\n  ## a comment\nb", "a\nb"),
        ("<%text>${x}\n% if\n## y</%text>", "${x}\n% if\n## y"),
    ],
)
def test_text_arrives_byte_for_byte(text: str, result: str) -> None:
    """Only `%%` at the start of a line means `%`; a comment takes its line."""
    assert fill(text, ORDER) == result


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("order.from", "Rome"),
        ("order.class.in", "first"),
        ("order['from']", "Rome"),
        ("order.items[0].name", "Tea"),
        ("order.items[-1]['price']", "2"),
        ("order[name] or 'none'", "none"),
        ("order.items[count - 2].name", "Rye"),
        ("order.items[1:][0].name", "Rye"),
        ("payload.next + payload['_id']", "Mondayx1"),
        ("price", "100.00"),
        ("price * 2", "200.00"),
        ("0.1 + 0.2", "0.3"),
        ("1 / 4", "0.25"),
        ("-count - 1", "-4"),
        ("urgent", "true"),
        ("none", ""),
        ("not none", "true"),
        ("count == 3.0 and urgent == True", "true"),
        ("urgent == 1 or '1' == 1 or none == False", "false"),
        ("1 < count <= 3 if False else 'b' > 'a'", None),
        ("count >= 3 and 'b' > 'a' and count != 4", "true"),
        ("'Te' in order.items[0].name and 'from' in order", "true"),
        ("name in ['Ada', 'Bo'] and count not in (1, 2)", "true"),
        ("'a' if nobody.there else 'b'", "b"),
        ("nobody or order.nothing or name", "Ada"),
        ("not nobody.there", "true"),
        ("family[1:2] + family[-1] + name[0]", "👩‍👩‍👧日A"),
        ("len(order.items) + len(name) + len(order)", "9"),
        ("(1 + 2) * 3", "9"),
        ("'a' 'b'", "ab"),
        ("name\n or 'x'", "Ada"),
    ],
)
def test_an_expression_has_its_value(expression: str, result: str | None) -> None:
    """Numbers are exact, and conditions may ask for a missing value."""
    if result is None:
        with pytest.raises(TemplateUnsafe):
            fill(f"${{{expression}}}", ORDER)
    else:
        assert fill(f"${{{expression}}}", ORDER) == result


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("\n${nobody}", "template: line 2: nobody is missing"),
        ("${order.items[2].name}", r"order.items\[2\] is missing"),
        ("${order.items.append}", "order.items.append is missing"),
        ("${name.upper}", "name.upper is missing"),
        ("${order}", "an object cannot be written"),
        ("${name + count}", "a text and a number cannot be added"),
        ("${name * 3}", "a text is not a number"),
        ("${1 / (count - 3)}", "divides by zero"),
        ("${count < name}", "have no order"),
        ("${order == 1}", "cannot be compared"),
        ("% for x in name:\n% endfor", "goes through a list"),
        ("${9999999999999 * 9999999999999 * 9999999999999}", "more than 34 digits"),
        ("${len(count)}", "has no length"),
        ("${order[none]}", "a key or an index is a text or a whole number"),
        ("${order[name]}", "is missing"),
    ],
)
def test_what_does_not_fit_fails_with_its_line(text: str, reason: str) -> None:
    """The sentence names the path, and never a value."""
    with pytest.raises(TemplateFailed, match=reason) as failed:
        fill(text, ORDER)
    assert "Ada" not in str(failed.value)
    assert failed.value.__context__ is None


def test_conditions_and_loops() -> None:
    """They are Mako's."""
    text = """\
% for item in order.items:
% if loop.first:
<ul>
% endif
  <li>${loop.index + 1} ${item.name}\\
% if item.price > 1.75:
 dear
% elif item.price == 1.5:
 cheap
% else:
 ?
% endif
% if loop.last:
</ul>
% endif
% endfor
% for x in order.empty:
never
% endfor
% for key in payload:
${key}=${payload[key]}
% endfor
"""
    assert fill(text, ORDER) == (
        "<ul>\n  <li>1 Tea\\\n cheap\n  <li>2 Rye\\\n dear\n</ul>\nnext=Monday\n_id=x1\n"
    )


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("<%inherit file='page'/>", "<html>Hello|nothing|Ada</html>"),
        ("<%inherit file='mail'/>\n<%block name='title'>T</%block>\n", "<html>T|[default]|Ada</html>"),
        (
            "<%block name='text'>mine ${count}</%block><%inherit file='mail'/>",
            "<html>Hello|[mine 3]|Ada</html>",
        ),
        ("<%include file='row' args=\"title='x' + name\"/>", "xAda: Ada."),
        (
            "% for i in order.items:\n<%include file='row' args='title=i.name'/>\n% endfor",
            "Tea: Ada.\nRye: Ada.\n",
        ),
        ("<%include file='mail'/> ${name}", "<html>Hello|[default]|Ada</html> Ada"),
    ],
)
def test_layouts_and_partials(text: str, result: str) -> None:
    """The innermost block is shown; a partial has the payload and its arguments."""
    assert fill(text, ORDER, PARTS) == result


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a\n<%include file='none'/>", "template: line 2: none is missing"),
        ("<%inherit file='none'/>", "template: line 1: none is missing"),
        ("<%include file='self'/>", "template self: line 1: self > self is a circle"),
        ("<%include file='row'/>", "template row: line 1: title is missing"),
    ],
)
def test_a_fault_in_a_part_names_the_part(text: str, reason: str) -> None:
    """The author of the template finds the line in the right text."""
    with pytest.raises(TemplateFailed, match=reason):
        fill(text, ORDER, PARTS)


def test_the_keys_of_parts_are_known_before() -> None:
    """They are constants, so that the parts can be read together with the template."""
    text = "<%inherit file='page'/><%block name='content'><%include file='b'/><%include file='a'/></%block>"
    assert compile_template(text, html=True).uses == ("page", "b", "a")
