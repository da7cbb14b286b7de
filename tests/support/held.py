"""Held notifications and their workflows, without a database."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from xnovu_poller.lifecycle import Attempt, Channel, ErrorDetails, Hold, PublishStatus, WorkflowType
from xnovu_poller.store.notifications.hold import Held
from xnovu_poller.store.notifications.verdict import Ending, Verdict
from xnovu_poller.store.workflows import Workflow

NOW = datetime(2030, 1, 1, tzinfo=UTC)

HELD = Held(
    hold=Hold(Attempt(1, 1), NOW),
    name="order 42",
    enterprise_id="acme",
    workflow_id=7,
    workflow_version=NOW,
    transaction_id="xn-1",
    payload=b"{}",
    recipients=["subscriber-1"],
    channels=None,
    overrides=None,
    refusals=0,
    unknown_outcomes=0,
    lapses=0,
    failure_count=0,
    withdrawn=False,
    expired=False,
    due_at=NOW,
)

WORKFLOW = Workflow(
    id=7,
    version=NOW,
    enterprise_id=None,
    type=WorkflowType.STATIC,
    key="order-shipped",
    name="Order shipped",
    channels=[Channel.EMAIL],
    schema=None,
    schema_bytes=0,
    templates={},
    send_context=False,
    publish_status=PublishStatus.PUBLISH,
    deactivated=False,
)


def held(**columns: Any) -> Held:  # noqa: ANN401 - any column
    """Return a held notification; its payload and overrides may be given as values."""
    documents = {
        name: json.dumps(value, ensure_ascii=False).encode()
        for name, value in columns.items()
        if name in {"payload", "overrides", "context", "subscribers"} and isinstance(value, dict)
    }
    return replace(HELD, **{**columns, **documents})


def workflow(**columns: Any) -> Workflow:  # noqa: ANN401 - any column
    """Return a workflow."""
    return replace(WORKFLOW, **columns)


def verdict(right: Hold, ending: Ending, error: ErrorDetails | None = None, **fields: Any) -> Verdict:  # noqa: ANN401 - any field
    """Return a verdict, to be written by right of a hold."""
    return Verdict(ending, held(hold=right), error, **fields)
