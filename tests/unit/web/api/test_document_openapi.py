"""The document is one of OpenAPI 3.1."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from xnovu_poller.web.api.document import describe
from xnovu_poller.web.api.table import OPERATIONS

DOCUMENT = describe(OPERATIONS)


def faults(document: dict[str, Any]) -> Iterator[str]:
    """Return the faults of a document: by the schema of OpenAPI, by that of JSON Schema, of references and of names."""
    yield from (str(error.instance_path) for error in OPENAPI_31_VALIDATOR.iter_errors(document))
    named = document["components"]["schemas"]
    for name, schema in named.items():
        try:
            Draft202012Validator.check_schema(schema)
        except SchemaError as error:
            yield f"{name}: {error.message}"
    yield from (
        f"{each} leads nowhere" for each in references(document) if each.rpartition("/")[2] not in named
    )
    names = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    yield from (f"{name} occurs twice" for name in {*names} if names.count(name) > 1)


def references(node: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    """Return each reference to a schema."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for each in node.values():
            yield from references(each)
    elif isinstance(node, list):
        for each in node:
            yield from references(each)


def test_the_document_is_valid() -> None:
    """Each operation of the table is in it."""
    assert list(faults(DOCUMENT)) == []
    assert sum(map(len, DOCUMENT["paths"].values())) == len(OPERATIONS)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda document: document.pop("info"),
        lambda document: document["components"]["schemas"]["Problem"].update(type="thing"),
        lambda document: document["components"]["schemas"].pop("Problem"),
        lambda document: document["paths"]["/api/rules"]["get"].update(operationId="list_workflows"),
        lambda document: document["paths"]["/api/rules"]["get"].update(responses=[]),
    ],
)
def test_a_fault_of_the_document_is_reported(spoil: Callable[[dict[str, Any]], object]) -> None:
    """Of OpenAPI, of JSON Schema, and of the names."""
    document = copy.deepcopy(DOCUMENT)
    spoil(document)

    assert list(faults(document))
