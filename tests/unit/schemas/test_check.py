"""A payload fits its schema, or the error shows where it does not; and no tenant's schema stops the others."""

import json
from typing import Any

import pytest

from xnovu_poller.errors import PayloadInvalid
from xnovu_poller.schemas.check import Schemas
from xnovu_poller.schemas.weigh import MOST_PARTS

VALUE = "value-marker"


def check(schema: dict[str, Any], payload: dict[str, Any]) -> None:
    """Check a payload against a schema of an enterprise."""
    Schemas().check("acme", json.dumps(schema), payload, json.dumps(payload).encode())


def fault(schema: dict[str, Any], payload: dict[str, Any]) -> str:
    """Check a payload that does not fit; return the error's message."""
    with pytest.raises(PayloadInvalid) as caught:
        check(schema, payload)
    assert caught.value.__cause__ is caught.value.__context__ is None
    return str(caught.value)


def doubling(steps: int, leaf: dict[str, Any]) -> dict[str, Any]:
    """Return a schema in which each part refers to the next part twice."""
    parts: dict[str, Any] = {"p0": leaf}
    for i in range(1, steps):
        reference = {"$ref": f"#/$defs/p{i - 1}"}
        parts[f"p{i}"] = {"allOf": [reference, reference]}
    return {"$defs": parts, "$ref": f"#/$defs/p{steps - 1}"}


@pytest.mark.parametrize(
    ("schema", "payload", "where", "rule"),
    [
        ({"properties": {"a": {"type": "integer"}}}, {"a": VALUE}, "$.a", "type"),
        ({"properties": {"a": {"enum": [1, 2]}}}, {"a": VALUE}, "$.a", "enum"),
        ({"properties": {"a": {"const": 1}}}, {"a": VALUE}, "$.a", "const"),
        ({"properties": {"a": {"pattern": "^x"}}}, {"a": VALUE}, "$.a", "pattern"),
        ({"properties": {"a": {"items": {"maxLength": 1}}}}, {"a": ["b", VALUE]}, "$.a[1]", "maxLength"),
        ({"required": ["name"]}, {"a": VALUE}, "$.name", "required"),
        ({"properties": {"a": {"required": ["b"]}}}, {"a": {"c": VALUE}}, "$.a.b", "required"),
        ({"additionalProperties": False}, {VALUE: 1}, "$", "additionalProperties"),
        ({"additionalProperties": {"type": "string"}}, {VALUE: 1}, "$.*", "type"),
        ({"propertyNames": {"maxLength": 3}}, {VALUE: 1}, "$", "maxLength"),
        ({"anyOf": [{"required": ["x"]}, {"required": ["y"]}]}, {"a": VALUE}, "$", "anyOf"),
        (
            {"properties": {"a": {"$ref": "#/$defs/m"}}, "$defs": {"m": {"type": "array"}}},
            {"a": VALUE},
            "$.a",
            "type",
        ),
    ],
)
def test_a_fault_names_its_path_and_rule_but_never_a_value(
    schema: dict[str, Any], payload: dict[str, Any], where: str, rule: str
) -> None:
    """A name that only the payload has counts as a value too."""
    message = fault(schema, payload)

    assert VALUE not in message
    assert message.startswith(f"payload: {where} breaks ")
    if where != "$" or rule != "maxLength":
        assert f"{rule!r}" in message


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "nonsense"},
        {"properties": {"a": {"pattern": "("}}},
        {"properties": {"a": {"pattern": "(?=a)"}}},
        {"$schema": "http://127.0.0.1:9/unknown"},
        {"$schema": 5},
        {"$id": "::::"},
    ],
    ids=json.dumps,
)
def test_an_invalid_schema_is_a_fault_of_the_workflow(schema: dict[str, Any]) -> None:
    """No payload passes a schema that cannot be used, and nothing else breaks."""
    assert "payload_schema is not a JSON Schema" in fault(schema, {"a": VALUE})


@pytest.mark.parametrize("address", ["#/nowhere", "http://127.0.0.1:9/x", "file:///etc/hostname", "urn:x"])
def test_a_reference_that_leads_out_of_the_schema_is_not_followed(address: str) -> None:
    """The worker opens neither a connection nor a file for it."""
    assert "refers to itself, or otherwise than by #/" in fault({"$ref": address}, {})


def test_a_catastrophic_pattern_takes_no_time() -> None:
    """The pattern engine is linear; a backtracking engine would never finish."""
    schema = {"properties": {"a": {"pattern": "^(a+)+$"}}}

    assert "$.a" in fault(schema, {"a": "a" * 100_000 + "!"})


@pytest.mark.parametrize("leaf", [{"type": "object"}, {"type": "string"}], ids=["fits", "does not fit"])
def test_references_that_double_with_each_step_are_refused(leaf: dict[str, Any]) -> None:
    """Sixty lines would mean more checks than anybody can wait for."""
    assert "payload_schema is too large" in fault(doubling(60, leaf), {})


@pytest.mark.parametrize("keyword", ["unevaluatedProperties", "unevaluatedItems"])
@pytest.mark.parametrize("depth", [9, 40])
def test_a_schema_whose_compilation_takes_all_memory_is_not_compiled(keyword: str, depth: int) -> None:
    """Each level doubles the work; twenty lines would take gigabytes."""
    defs: dict[str, Any] = {f"a{i}": {"allOf": [{"$ref": f"#/$defs/a{i + 1}"}] * 2} for i in range(depth)} | {
        f"a{depth}": {"type": "string"}
    }

    assert "payload_schema is too large" in fault({keyword: False, "$ref": "#/$defs/a0", "$defs": defs}, {})


def test_unevaluated_properties_are_checked() -> None:
    """This holds for a schema of the usual size."""
    schema = {"properties": {"a": {}}, "allOf": [{"properties": {"b": {}}}], "unevaluatedProperties": False}

    check(schema, {"a": 1, "b": 2})
    assert "unevaluatedProperties" in fault(schema, {"c": 1})


def test_a_few_references_are_accepted() -> None:
    """Schemas that people write are far below the limit."""
    check(doubling(6, {"type": "object"}), {})
    assert MOST_PARTS > 1000


@pytest.mark.parametrize(
    ("schema", "payload"),
    [
        ({"properties": {"a": {"items": {"allOf": [{"minLength": 0}] * 4000}}}}, {"a": ["x"] * 2000}),
        ({"properties": {"a": {"items": {"enum": [{"n": n} for n in range(3000)]}}}}, {"a": ["x"] * 4000}),
    ],
    ids=["many parts", "many constants"],
)
def test_a_check_that_would_take_seconds_is_not_started(
    schema: dict[str, Any], payload: dict[str, Any]
) -> None:
    """All other enterprises of the process would have to wait."""
    assert fault(schema, payload).endswith("$ is too large for its payload_schema")


DEEP: dict[str, Any] = {}
for _ in range(200):
    DEEP = {"a": DEEP}


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}}},
        {"properties": {"a": {"oneOf": [{"$ref": "#"}, {"$ref": "#"}]}}},
        {"properties": {"a": {"$dynamicRef": "#"}}},
        {
            "$schema": "https://json-schema.org/draft/2019-09/schema",
            "properties": {"a": {"$recursiveRef": "#"}},
        },
        {"properties": {"a": {"$ref": "#part"}}, "$defs": {"p": {"$anchor": "part"}}},
        {"properties": {"a": {"$id": "urn:part", "$ref": "#"}}},
        {
            "$schema": "http://json-schema.org/draft-04/schema#",
            "properties": {"a": {"id": "urn:part", "items": {"$ref": "#"}}},
        },
    ],
    ids=json.dumps,
)
def test_a_schema_that_refers_to_itself_is_refused(schema: dict[str, Any]) -> None:
    """A payload 200 levels deep would take 2 to the power of 200 checks."""
    assert "payload_schema refers to itself" in fault(schema, DEEP)


def test_properties_may_have_names_of_json_schema_keywords() -> None:
    """`id` and `$ref` are keywords only where their value is text."""
    schema = {"properties": {"id": {"type": "integer"}, "$ref": {"type": "integer"}}}
    check(schema, {"id": 1, "$ref": 2})


def test_a_payload_nested_too_deep_fails_only_itself() -> None:
    """Whether it fits or not, nobody else is affected."""
    schema: dict[str, Any] = {"const": {"b": 1}}
    payload: dict[str, Any] = {}
    for _ in range(900):
        payload = {"a": payload}

    assert fault(schema, payload)


@pytest.mark.parametrize("text", ["[" * 5000 + "]" * 5000, '{"a": ' + "9" * 5000 + "}", "[]", "{"], ids=len)
def test_no_payload_passes_a_schema_that_cannot_be_read(text: str) -> None:
    """An unreadable schema is not the same as no schema."""
    with pytest.raises(PayloadInvalid):
        Schemas().check("acme", text, {}, b"{}")


def test_a_changed_schema_applies_at_once() -> None:
    """Compiled schemas are kept by their text."""
    schemas = Schemas()
    schemas.check("acme", '{"required": []}', {}, b"{}")

    with pytest.raises(PayloadInvalid):
        schemas.check("acme", '{"required": ["a"]}', {}, b"{}")


def test_a_refusal_is_remembered() -> None:
    """The schema is not weighed again for each notification."""
    schemas = Schemas()
    for _ in range(2):
        with pytest.raises(PayloadInvalid, match="is not a regular expression"):
            schemas.check("acme", '{"pattern": "("}', {}, b"{}")
    assert len(schemas._compiled) == 1


def test_the_memory_of_compiled_schemas_is_bounded() -> None:
    """A schema with heavy patterns counts with what they take."""
    schemas = Schemas(cached_bytes=4_000_000)
    for number in range(20):
        schemas.check("acme", json.dumps({"title": str(number), "pattern": "^.{1,200}$"}), {}, b"{}")

    assert 0 < len(schemas._compiled) < 8
    assert schemas._compiled.weight <= 4_000_000


DRAFT_07 = "http://json-schema.org/draft-07/schema#"
DRAFT_04 = "http://json-schema.org/draft-04/schema#"


@pytest.mark.parametrize(
    "schema",
    [
        {"$schema": DRAFT_07, "properties": {"ref": {"$id": "#/properties/ref", "type": "string"}}},
        {
            "$schema": DRAFT_07,
            "definitions": {"text": {"type": "string"}},
            "properties": {"ref": {"$id": "#/properties/ref", "allOf": [{"$ref": "#/definitions/text"}]}},
        },
        {"properties": {"ref": {"$id": "https://example.org/ref", "type": "string"}}},
        {"$schema": DRAFT_04, "properties": {"ref": {"id": "ref", "type": "string"}}},
    ],
    ids=json.dumps,
)
def test_an_id_that_no_reference_needs_is_harmless(schema: dict[str, Any]) -> None:
    """Generators give each property an `$id`; only a reference below it would be relative to it."""
    check(schema, {"ref": "4711"})
    assert "$.ref breaks 'type'" in fault(schema, {"ref": 4711})


@pytest.mark.parametrize(
    "data",
    [
        {"id": "free"},
        {"$id": "x"},
        {"$ref": "http://x"},
        {"pattern": "("},
        {"$ref": "#", "not": [{"$ref": "#"}]},
    ],
    ids=json.dumps,
)
@pytest.mark.parametrize("keyword", ["enum", "const", "default", "example", "examples", "x-ours"])
@pytest.mark.parametrize("draft", [DRAFT_04, DRAFT_07, "https://json-schema.org/draft/2020-12/schema"])
def test_data_in_a_schema_is_not_read_as_schema(draft: str, keyword: str, data: dict[str, Any]) -> None:
    """A value may look like a keyword."""
    value = [data] if keyword in {"enum", "examples"} else data
    check({"$schema": draft, "properties": {"plan": {keyword: value}}}, {"plan": data})


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (
            {"$ref": "#/$defs/a", "$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}},
            "$ref '#/$defs/a' leads back to itself, at '/$defs/a/items/$ref'",
        ),
        (
            {"properties": {"a": {"$ref": "#/nowhere"}}},
            "$ref '#/nowhere' leads nowhere, at '/properties/a/$ref'",
        ),
        ({"$ref": "https://example.org/x"}, "$ref 'https://example.org/x' cannot be followed"),
        ({"$ref": "x" * 5000}, f"$ref '{'x' * 60}…'"),
        (
            {"properties": {"a": {"pattern": "^(?!\\s*$).+"}}},
            r"pattern '^(?!\\s*$).+': look-ahead and look-behind are not supported, at '/properties/a/pattern'",
        ),
        (
            {"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"anyOf": [{}, {"pattern": "("}]}}},
            "is not a regular expression, at '/$defs/a~1b/anyOf/1/pattern'",
        ),
        ({"pattern": "(?<=a)b"}, "look-ahead and look-behind are not supported"),
        ({"pattern": r"(a)\1"}, "back-references are not supported"),
        ({"patternProperties": {"(": {}}}, "pattern '(' is not a regular expression"),
        (
            {"properties": {"a": {"type": "nonsense"}}},
            "is not a JSON Schema: '/properties/a/type' is not valid",
        ),
        ({"pattern": "(" + "x" * 900}, f"pattern '({'x' * 59}…'"),
    ],
    ids=str,
)
def test_the_refusal_of_a_schema_names_the_place(schema: dict[str, Any], words: str) -> None:
    """The author of the schema finds it; a long name is cut."""
    assert words in fault(schema, {})
    assert len(fault(schema, {})) < 300


def test_a_long_name_in_the_schema_does_not_fill_the_error() -> None:
    """A tenant may name a property with 50,000 characters, or nest a hundred levels."""
    name = "n" * 50_000
    assert len(fault({"required": [name]}, {})) < 300
    assert len(fault({"properties": {name: {"type": "string"}}}, {name: 1})) < 300
