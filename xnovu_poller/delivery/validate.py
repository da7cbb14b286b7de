"""Whether a notification may be sent: its workflow is published, and its payload fits the schema."""

from functools import lru_cache
from typing import Any

import jsonschema_rs

from xnovu_poller.errors import Poison, ValidationError, WorkflowNotFound
from xnovu_poller.lifecycle import MAX_LAPSES, PublishStatus
from xnovu_poller.store.reads import Workflow
from xnovu_poller.store.transitions.holding import Held

CACHED_SCHEMAS = 1024


class Schemas:
    """The compiled schemas of workflows, by id and version.

    Tenants write schemas, so patterns run on an engine whose time is linear in the text, and a
    reference leads nowhere outside the schema. Source: jsonschema-rs, "Regular expressions", "offline".
    """

    def __init__(self) -> None:
        self._compiled = lru_cache(maxsize=CACHED_SCHEMAS)(self._compile)
        self._source: dict[str, Any] = {}

    def check(self, workflow: Workflow, payload: dict[str, Any]) -> None:
        """Compare a payload with its workflow's schema.

        Raises:
            ValidationError: it breaks a rule, or the schema is none. Path and rule, never the value.
        """
        if workflow.schema is None:
            return
        self._source = workflow.schema
        compiled = self._compiled(workflow.id, workflow.version)
        if compiled is None:
            raise ValidationError("$", "payload_schema is not a JSON Schema")
        fault = next(compiled.iter_errors(payload), None)
        if fault is not None:
            raise ValidationError(_path(fault), str(fault.schema_path[-1]) if fault.schema_path else "false")

    def _compile(self, _id: int, _version: object) -> jsonschema_rs.Validator | None:
        try:
            return jsonschema_rs.validator_for(
                self._source, pattern_options=jsonschema_rs.RegexOptions(), offline=True
            )
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError):
            return None


def usable(held: Held, workflow: Workflow | None) -> Workflow:
    """Give the workflow of a notification, if it may be sent.

    Raises:
        Poison: sending it has killed its process too often.
        WorkflowNotFound: there is none, it is another enterprise's, unpublished or deactivated.
    """
    if held.lapses > MAX_LAPSES:
        raise Poison(held.lapses)
    if workflow is None or workflow.enterprise_id not in {None, held.enterprise_id}:
        name = "(none)" if held.workflow_id is None else str(held.workflow_id)
        raise WorkflowNotFound(name, "this enterprise has no such workflow")
    if workflow.publish_status is not PublishStatus.PUBLISH:
        raise WorkflowNotFound(workflow.key, f"is {workflow.publish_status.value}, not PUBLISH")
    if workflow.deactivated:
        raise WorkflowNotFound(workflow.key, "is deactivated")
    return workflow


def _path(fault: jsonschema_rs.ValidationError) -> str:
    path = "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in fault.instance_path)
    # The name of a missing property is the schema's word; that of a surplus one is the payload's.
    missing = getattr(fault.kind, "property", None)
    return f"{path}.{missing}" if missing and fault.schema_path[-1:] == ["required"] else path
