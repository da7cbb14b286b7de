"""The document of the API, OpenAPI 3.1, made of the table and of the models that check the requests."""

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue

from xnovu_poller import __version__
from xnovu_poller.store.api_keys import Scope
from xnovu_poller.web.api.operation import LARGEST_ID, Operation
from xnovu_poller.web.api.problems import MEDIA_TYPE, Fault

_SCOPES = {
    Scope.SEND: "send notifications",
    Scope.READ: "list and show",
    Scope.OPERATE: "retract, revive, and change rules",
}

EVERYWHERE = (
    Fault.BAD_REQUEST,
    Fault.UNAUTHORIZED,
    Fault.FORBIDDEN,
    Fault.METHOD_NOT_ALLOWED,
    Fault.INVALID,
    Fault.TOO_MANY_REQUESTS,
    Fault.INTERNAL,
    Fault.UNAVAILABLE,
)
"""The faults that each operation can have."""

WITH_BODY = (Fault.REQUEST_TIMEOUT, Fault.TOO_LARGE, Fault.UNSUPPORTED_MEDIA_TYPE)
"""Those of operations with a body."""

_PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "A fault, as RFC 9457 has it",
    "required": ["type", "title", "status", "code"],
    "properties": {
        "type": {"type": "string", "const": "about:blank"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "never changes; programs may compare it"},
        "detail": {"type": "string", "description": "for people"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {
                    "pointer": {
                        "type": "string",
                        "description": "JSON pointer into the body, or the name of a parameter",
                    },
                    "detail": {"type": "string"},
                },
            },
        },
    },
}

_ID = {
    "name": "id",
    "in": "path",
    "required": True,
    "schema": {"type": "integer", "minimum": 1, "maximum": LARGEST_ID},
}
_IDEMPOTENCY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "the same request again is done once: the key is the `dedup_key` of the notification, or names the firing; not with a list",
    "schema": {"type": "string", "minLength": 1, "maxLength": 1024, "pattern": "^[!-~]([ -~]*[!-~])?$"},
}


def describe(operations: Sequence[Operation]) -> dict[str, Any]:
    """Return the document."""
    models = _Models(operations)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _describe(operation, models)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "xnovu-poller",
            "version": __version__,
            "description": "Send notifications, and see what became of them. Each key acts for one enterprise.",
        },
        "paths": paths,
        "components": {
            "schemas": {**models.definitions, "Problem": _PROBLEM},
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Scopes: "
                    + "; ".join(f"`{name}`: {text}" for name, text in _SCOPES.items()),
                }
            },
        },
    }


class _Models:
    """The schemas of all models, each under one name."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        inputs: list[tuple[Any, JsonSchemaMode, TypeAdapter[Any]]] = []
        for operation in operations:
            for model in (operation.body, operation.list_body, operation.query):
                if model is not None:
                    adapter = model if isinstance(model, TypeAdapter) else TypeAdapter(model)
                    inputs.append((id(model), "validation", adapter))
            for _, answer in operation.answers.values():
                inputs.append((_key(answer), "serialization", TypeAdapter(answer)))
        generator = GenerateJsonSchema(ref_template="#/components/schemas/{model}")
        self._found, definitions = generator.generate_definitions(
            [(key, mode, adapter.core_schema) for key, mode, adapter in inputs]
        )
        self.definitions = dict(sorted(definitions.items()))

    def request(self, model: object) -> JsonSchemaValue:
        return self._found[id(model), "validation"]

    def answer(self, model: object) -> JsonSchemaValue:
        return self._found[_key(model), "serialization"]

    def resolve(self, schema: JsonSchemaValue) -> JsonSchemaValue:
        """Return a schema, or that to which it refers."""
        reference = schema.get("$ref")
        return schema if reference is None else self.definitions[reference.rpartition("/")[2]]


def _key(answer: object) -> str:
    return repr(answer)


def _describe(operation: Operation, models: _Models) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": f"Needs the scope `{operation.scope}`.",
        "tags": [operation.path.split("/")[2]],
        "security": [{"key": []}],
        "parameters": [*_parameters(operation, models)],
        "responses": {**_answers(operation, models), **_problems(operation)},
    }
    if operation.body is not None:
        schema = models.request(operation.body)
        if operation.list_body is not None:
            schema = {"anyOf": [schema, models.request(operation.list_body)]}
        described["requestBody"] = {
            "required": not any(each.get("type") == "null" for each in schema.get("anyOf", ())),
            "content": {"application/json": {"schema": schema}},
        }
    return described


def _parameters(operation: Operation, models: _Models) -> Iterator[dict[str, Any]]:
    if "{id}" in operation.path:
        yield _ID
    if operation.is_idempotent:
        yield _IDEMPOTENCY
    if operation.query is not None:
        schema = models.resolve(models.request(operation.query))
        for name, each in schema["properties"].items():
            plain = [kind for kind in each.get("anyOf", ()) if kind.get("type") != "null"]
            shared = {
                key: value
                for key, value in each.items()
                if key not in {"anyOf", "default", "title", "description"}
            }
            yield {
                "name": name,
                "in": "query",
                "required": name in schema.get("required", ()),
                "description": each.get("description", ""),
                "schema": {**shared, **(plain[0] if plain else {})},
            }


def _answers(operation: Operation, models: _Models) -> dict[str, Any]:
    return {
        str(status): {
            "description": text,
            "content": {"application/json": {"schema": models.answer(model)}},
        }
        for status, (text, model) in operation.answers.items()
    }


def _problems(operation: Operation) -> dict[str, Any]:
    faults = {*EVERYWHERE, *operation.faults, *(WITH_BODY if operation.body is not None else ())}
    if "{id}" in operation.path:
        faults.add(Fault.NOT_FOUND)
    return {
        str(fault.status): {
            "description": fault.title,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for fault in sorted(faults, key=lambda each: each.status)
    }
