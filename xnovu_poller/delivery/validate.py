"""Whether a notification may be sent: its workflow is published, and its payload fits the schema."""

from dataclasses import replace
from json.encoder import encode_basestring as quote
from typing import Any

from xnovu_poller import tracing
from xnovu_poller.errors import PayloadInvalid, Poison, WorkflowNotFound
from xnovu_poller.lifecycle import MAX_LAPSES, OUR_KEY, PublishStatus
from xnovu_poller.novu.event import split_members
from xnovu_poller.schemas.check import Schemas
from xnovu_poller.store.notifications.hold import Held
from xnovu_poller.store.workflows import MOST_SCHEMA_BYTES, Workflow
from xnovu_poller.templates.variables import DEEPEST, read_json

_OUR_NAME = f'"{OUR_KEY}":'.encode()
"""Our name as it stands in the text of a jsonb: PostgreSQL writes no blank before a colon."""

_TRACE_NAME = f'"{tracing.KEY}":'.encode()


def read_values(held: Held, *, used: bool) -> dict[str, Any]:
    """Return the values of a payload, or nothing if nobody looks at them: a payload is sent as it was stored.

    Args:
        used: a schema or a template looks at them. We do if it may have our name, or be nested too deep.

    Raises:
        PayloadInvalid: Python cannot read the payload or the overrides.
    """
    try:
        if held.overrides is not None and _may_be_deep(held.overrides):
            read_json(held.overrides)
        if used or _OUR_NAME in held.payload or _may_be_deep(held.payload):
            return read_json(held.payload)
    except (ValueError, RecursionError):
        raise PayloadInvalid(
            "$", "or its overrides cannot be read: JSON nested too deep, or a number is too long"
        ) from None
    return {}


def without_trace(held: Held) -> Held:
    """Return a notification without the trace that its producer has put into its payload: nobody else gets that.

    Raises:
        NovuRejected: the payload is nested too deep.
    """
    if _TRACE_NAME not in held.payload:
        return held
    members = split_members(held.payload)
    rest = ", ".join(f"{quote(name)}: {value}" for name, value in members.items() if name != tracing.KEY)
    return replace(held, payload=f"{{{rest}}}".encode())


def _may_be_deep(document: bytes) -> bool:
    return document.count(b"[") + document.count(b"{") > DEEPEST


def check_payload(schemas: Schemas, held: Held, workflow: Workflow, values: dict[str, Any]) -> None:
    """Check the payload of a notification against its workflow's schema, if it has one.

    Args:
        values: what `read_values` returned.

    Raises:
        PayloadInvalid: it does not fit, or the schema cannot be used; or it has the name that is ours.
    """
    if OUR_KEY in values:
        raise PayloadInvalid(f"$.{OUR_KEY}", "is reserved: only the worker writes it")
    if workflow.schema_bytes > MOST_SCHEMA_BYTES:
        raise PayloadInvalid.by_schema(
            f"is too large: it has {workflow.schema_bytes} bytes of {MOST_SCHEMA_BYTES}"
        )
    if workflow.schema is not None:
        schemas.check(workflow.enterprise_id, workflow.schema, values, held.payload)


def require_usable(held: Held, workflow: Workflow | None) -> Workflow:
    """Return the workflow of a notification, if it may be sent.

    Raises:
        Poison: sending the notification killed its process too often.
        WorkflowNotFound: the workflow is missing, another enterprise's, unpublished or deactivated.
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
