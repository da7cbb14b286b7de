"""How the environment treats the triggers of a workflow: as set through the control API, or as it was created."""

from typing import Any

import jsonschema_rs
from pydantic import BaseModel, ConfigDict

from xnovu_poller.dev.standin.calls import Json, Refusal
from xnovu_poller.dev.standin.workflow_routes import WorkflowRoutes


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
    """Workflows by identifier. A workflow that was neither set nor created is known and active, unless switched off.

    Args:
        created: the workflows that were created by calls.
    """

    def __init__(self, created: WorkflowRoutes) -> None:
        self._created = created
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
        behaviour = self._behaviours.get(identifier) or self._find_created(identifier)
        behaviour = behaviour or WorkflowBehaviour(known=is_known_by_default)
        if not behaviour.known:
            raise Refusal(422, "workflow_not_found")
        return behaviour

    def _find_created(self, identifier: str) -> WorkflowBehaviour | None:
        created = self._created.find(identifier)
        if created is None:
            return None
        schema = created.get("payloadSchema") if created.get("validatePayload") else None
        return WorkflowBehaviour(active=created["active"], payload_schema=schema)


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
