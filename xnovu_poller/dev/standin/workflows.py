"""The workflows of the environment, as set through the control API."""

from typing import Any

import jsonschema_rs
from pydantic import BaseModel, ConfigDict

from xnovu_poller.dev.standin.calls import Json, Refusal


class WorkflowBehaviour(BaseModel):
    """How the stand-in treats the triggers of a workflow.

    Attributes:
        known: if False, it answers 422 `workflow_not_found`.
        active: if False, it answers 201 `trigger_not_active`.
        delayed: its triggers wait until they are cancelled or `POST /_standin/deliver` is called.
        channels: its channels, used if the payload holds no rendered text.
        payload_schema: a JSON Schema that the payload must meet; its defaults are filled in.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    known: bool = True
    active: bool = True
    delayed: bool = False
    channels: tuple[str, ...] = ()
    payload_schema: dict[str, Any] | None = None


class Workflows:
    """Workflows by identifier; a workflow that was not set is known and active, unless switched off."""

    def __init__(self) -> None:
        self._behaviours: dict[str, WorkflowBehaviour] = {}

    def clear(self) -> None:
        """Forget all workflows."""
        self._behaviours.clear()

    def set(self, identifier: str, behaviour: WorkflowBehaviour) -> None:
        """Set the behaviour of a workflow."""
        self._behaviours[identifier] = behaviour

    def to_json(self) -> dict[str, Json]:
        """Return the workflows that were set, as JSON."""
        return {identifier: behaviour.model_dump() for identifier, behaviour in self._behaviours.items()}

    def find(self, identifier: str, *, is_known_by_default: bool) -> WorkflowBehaviour:
        """Return the behaviour of a workflow.

        Raises:
            Refusal: 422 the workflow does not exist.
        """
        behaviour = self._behaviours.get(identifier, WorkflowBehaviour(known=is_known_by_default))
        if not behaviour.known:
            raise Refusal(422, "workflow_not_found")
        return behaviour


def check_payload(payload: dict[str, Json], schema: dict[str, Json]) -> dict[str, Json]:
    """Return the payload with the schema's defaults filled in.

    Raises:
        Refusal: 400 with every field that violates the schema.
    """
    filled = fill_defaults(payload, schema)
    errors = [
        {
            "field": "/".join(map(str, error.instance_path)) or "payload",
            "message": error.message,
            "schemaPath": "#/" + "/".join(map(str, error.schema_path)),
        }
        for error in jsonschema_rs.validator_for(schema, offline=True).iter_errors(filled)
    ]
    if errors:
        raise Refusal(
            400, "Payload validation failed", type="PAYLOAD_VALIDATION_ERROR", errors=errors, schema=schema
        )
    return filled


def fill_defaults(payload: dict[str, Json], schema: dict[str, Json]) -> dict[str, Json]:
    """Return the payload with the defaults of missing members, at any depth of objects."""
    filled = dict(payload)
    for name, part in schema.get("properties", {}).items():
        if name not in filled and "default" in part:
            filled[name] = part["default"]
        elif isinstance(filled.get(name), dict):
            filled[name] = fill_defaults(filled[name], part)
    return filled
