"""A schema's cost is known before it is compiled."""

from typing import Any

import pytest

from xnovu_poller.errors import PayloadInvalid
from xnovu_poller.schemas.patterns import Patterns
from xnovu_poller.schemas.weigh import DEEPEST, weigh


def nest(keyword: str, levels: int) -> dict[str, Any]:
    """Return a schema in a schema in a schema."""
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {keyword: {"a": schema} if keyword == "properties" else schema}
    return schema


def chain(length: int, *, backwards: bool) -> dict[str, Any]:
    """Return a schema whose parts refer each to the next."""
    parts: dict[str, Any] = {f"p{i}": {"items": {"$ref": f"#/$defs/p{i + 1}"}} for i in range(length)}
    parts[f"p{length}"] = {"type": "string"}
    named = dict(reversed(parts.items())) if backwards else parts
    return {"$ref": "#/$defs/p0", "$defs": named}


def test_parts_are_counted_with_references_followed() -> None:
    """A part that two references lead to counts three times."""
    part = {"type": "string"}
    schema = {"$defs": {"a": part}, "items": {"$ref": "#/$defs/a"}, "contains": {"$ref": "#/$defs/a"}}
    plain = {"$defs": {"a": part}, "items": {}, "contains": {}}
    assert weigh(schema, Patterns()).parts - weigh(plain, Patterns()).parts == 2 * (
        1 + weigh(part, Patterns()).parts
    )


def test_places_of_patterns_and_patterns_of_names_are_counted() -> None:
    """The first count for each value of a payload, the second for each name in it."""
    schema = {"patternProperties": {"^a": {"pattern": "b"}, "^c": {"pattern": "b"}}, "pattern": "d"}
    found = weigh(schema, Patterns())
    assert found.patterns == 3
    assert 0 < found.keys <= 2 * 4096


@pytest.mark.parametrize("keyword", ["not", "items", "properties", "additionalProperties", "contains"])
def test_a_schema_nested_too_deep_is_refused(keyword: str) -> None:
    """The library compiles by recursion; for `not`, memory grows with the square of the depth."""
    with pytest.raises(PayloadInvalid, match="is too large"):
        weigh(nest(keyword, DEEPEST), Patterns())


@pytest.mark.parametrize("length", [DEEPEST, 3000])
@pytest.mark.parametrize("backwards", [False, True])
def test_a_chain_of_references_counts_as_depth(length: int, *, backwards: bool) -> None:
    """In any order of the definitions."""
    with pytest.raises(PayloadInvalid, match="nested deeper than"):
        weigh(chain(length, backwards=backwards), Patterns())
    weigh(chain(DEEPEST // 3, backwards=backwards), Patterns())
