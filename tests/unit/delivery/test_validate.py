"""A payload fits its schema, or the error shows where it does not; and no tenant's schema stops the others."""

import json
from datetime import timedelta
from typing import Any

import pytest

from tests.support.held import NOW, held, workflow
from xnovu_poller.delivery.validate import CACHED_SCHEMAS, MOST_PARTS, Schemas, require_usable
from xnovu_poller.errors import PayloadInvalid, Poison, WorkflowNotFound
from xnovu_poller.lifecycle import MAX_LAPSES, PublishStatus
from xnovu_poller.store.engine import Unreadable

VALUE = "value-marker"


def fault(schema: dict[str, Any], payload: dict[str, Any]) -> str:
    """Check a payload that does not fit; return the error's message."""
    with pytest.raises(PayloadInvalid) as caught:
        Schemas().check(workflow(schema=schema), payload)
    assert caught.value.__cause__ is caught.value.__context__ is None
    return str(caught.value)


def doubling(steps: int, leaf: dict[str, Any]) -> dict[str, Any]:
    """Return a schema in which each part refers to the next part twice."""
    parts: dict[str, Any] = {"p0": leaf}
    for i in range(1, steps):
        reference = {"$ref": f"#/$defs/p{i - 1}"}
        parts[f"p{i}"] = {"allOf": [reference, reference]}
    return {"$defs": parts, "$ref": f"#/$defs/p{steps - 1}"}


def test_without_a_schema_everything_fits() -> None:
    """A schema is optional."""
    Schemas().check(workflow(), {"any": "thing"})


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
        {"properties": {"a": {"pattern": "((a{1000}){1000}){1000}"}}},
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

    Schemas().check(workflow(schema=schema), {"a": 1, "b": 2})
    assert "unevaluatedProperties" in fault(schema, {"c": 1})


def test_a_few_references_are_accepted() -> None:
    """Schemas that people write are far below the limit."""
    Schemas().check(workflow(schema=doubling(6, {"type": "object"})), {})
    assert MOST_PARTS > 1000


@pytest.mark.parametrize(
    ("schema", "payload"),
    [
        ({"properties": {"a": {"items": {"allOf": [{"minLength": 0}] * 4000}}}}, {"a": ["x"] * 1000}),
        ({"properties": {"a": {"enum": [{"n": n} for n in range(3000)]}}}, {"a": "x" * 10_000}),
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
    Schemas().check(workflow(schema=schema), {"id": 1, "$ref": 2})


def test_a_payload_nested_too_deep_fails_only_itself() -> None:
    """Whether it fits or not, nobody else is affected."""
    schema: dict[str, Any] = {"const": {"b": 1}}
    payload: dict[str, Any] = {}
    for _ in range(900):
        payload = {"a": payload}

    assert fault(schema, payload)


def test_no_payload_passes_a_schema_that_python_cannot_read() -> None:
    """An unreadable schema is not the same as no schema."""
    assert "payload_schema" in fault(Unreadable(), {})


def test_a_changed_schema_applies_at_once() -> None:
    """Compiled schemas are cached by version."""
    schemas = Schemas()
    schemas.check(workflow(schema={"required": []}), {})

    with pytest.raises(PayloadInvalid):
        schemas.check(workflow(schema={"required": ["a"]}, version=NOW + timedelta(microseconds=1)), {})


def test_the_number_of_compiled_schemas_is_bounded() -> None:
    """It does not grow with the number of tenants."""
    schemas = Schemas()
    for id_ in range(CACHED_SCHEMAS + 10):
        schemas.check(workflow(id=id_, schema={}), {})

    assert len(schemas._compiled) == CACHED_SCHEMAS


def test_the_least_recently_used_schema_is_dropped() -> None:
    """Schemas in use stay compiled."""
    schemas = Schemas()
    for id_ in range(CACHED_SCHEMAS):
        schemas.check(workflow(id=id_, schema={}), {})
    schemas.check(workflow(id=0, schema={}), {})

    schemas.check(workflow(id=CACHED_SCHEMAS, schema={}), {})

    assert (0, NOW) in schemas._compiled
    assert (1, NOW) not in schemas._compiled


@pytest.mark.parametrize("enterprise", [None, "acme"])
def test_a_published_workflow_is_usable_if_it_is_own_or_global(enterprise: str | None) -> None:
    """An enterprise uses its own workflows and the global workflows."""
    own = workflow(enterprise_id=enterprise)
    assert require_usable(held(), own) is own


@pytest.mark.parametrize("status", [status for status in PublishStatus if status != "PUBLISH"])
def test_only_published_workflows_are_usable(status: PublishStatus) -> None:
    """The error names the state that it is in."""
    with pytest.raises(WorkflowNotFound, match=f"is {status}"):
        require_usable(held(), workflow(publish_status=status))


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (None, "no such workflow"),
        (workflow(enterprise_id="globex"), "no such workflow"),
        (workflow(deactivated=True), "deactivated"),
    ],
    ids=["none", "another enterprise's", "deactivated"],
)
def test_other_workflows_are_refused(found: Any, message: str) -> None:  # noqa: ANN401 - a workflow or none
    """Another enterprise's workflow looks as if it did not exist."""
    with pytest.raises(WorkflowNotFound, match=message):
        require_usable(held(), found)


def test_a_foreign_workflow_is_not_named() -> None:
    """Its key belongs to the other tenant."""
    with pytest.raises(WorkflowNotFound) as caught:
        require_usable(held(), workflow(enterprise_id="globex", key="globex-secret"))
    assert "globex" not in str(caught.value)


def test_poison_comes_after_the_third_lapse() -> None:
    """Three lapses may be bad luck."""
    require_usable(held(lapses=MAX_LAPSES), workflow())
    with pytest.raises(Poison):
        require_usable(held(lapses=MAX_LAPSES + 1), workflow())


@pytest.mark.parametrize("column", ["payload", "overrides"])
def test_a_column_that_python_cannot_read_is_not_sent(column: str) -> None:
    """Half a notification must not reach anybody."""
    with pytest.raises(PayloadInvalid):
        require_usable(held(**{column: Unreadable()}), workflow())
