"""Which workflows the environment knows, as told over the control path."""

from typing import Any

import jsonschema_rs
from pydantic import BaseModel, ConfigDict

from xnovu_poller.dev.standin.calls import Json, Refusal


class Workflow(BaseModel):
    """What is told of one workflow.

    Attributes:
        known: False answers 422 `workflow_not_found`.
        active: False answers 201 `trigger_not_active`.
        delayed: its triggers wait until they are cancelled or `POST /_standin/deliver` is called.
        channels: what it delivers in, where the payload brings no rendered text to tell it by.
        payload_schema: a JSON Schema that the payload has to meet; its defaults are filled in.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    known: bool = True
    active: bool = True
    delayed: bool = False
    channels: tuple[str, ...] = ()
    payload_schema: dict[str, Any] | None = None


class Workflows:
    """Workflows by identifier; one that nobody told of is known and active, unless switched off."""

    def __init__(self) -> None:
        self._told: dict[str, Workflow] = {}

    def clear(self) -> None:
        """Forget what was told."""
        self._told.clear()

    def tell(self, identifier: str, workflow: Workflow) -> None:
        """Set what a workflow is like."""
        self._told[identifier] = workflow

    def told(self) -> dict[str, Json]:
        """Give what was told, as JSON."""
        return {identifier: workflow.model_dump() for identifier, workflow in self._told.items()}

    def find(self, identifier: str, *, known_unless_told: bool) -> Workflow:
        """Give the workflow.

        Raises:
            Refusal: 422; for good, until somebody creates the workflow.
        """
        workflow = self._told.get(identifier, Workflow(known=known_unless_told))
        if not workflow.known:
            raise Refusal(422, "workflow_not_found")
        return workflow


def check_payload(payload: dict[str, Json], schema: dict[str, Json]) -> dict[str, Json]:
    """Give the payload with the schema's defaults filled in.

    Raises:
        Refusal: 400 with every field that breaks the schema.
    """
    filled = filled_in(payload, schema)
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


def filled_in(payload: dict[str, Json], schema: dict[str, Json]) -> dict[str, Json]:
    """Fill in the defaults of missing members, at any depth of objects."""
    filled = dict(payload)
    for name, part in schema.get("properties", {}).items():
        if name not in filled and "default" in part:
            filled[name] = part["default"]
        elif isinstance(filled.get(name), dict):
            filled[name] = filled_in(filled[name], part)
    return filled
