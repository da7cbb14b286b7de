"""Read the workflows: the kinds of notification that an enterprise may send."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text

from xnovu_poller.lifecycle import Channel, PublishStatus, WorkflowType
from xnovu_poller.store.engine import Engine, acquire


@dataclass(frozen=True, slots=True)
class Workflow:
    """The row of a workflow; `version` changes with the row."""

    id: int
    version: datetime
    enterprise_id: str | None
    type: WorkflowType
    key: str
    channels: list[Channel]
    schema: dict[str, Any] | None
    templates: dict[str, str]
    publish_status: PublishStatus
    deactivated: bool


_WORKFLOWS = text("""
    SELECT id, updated_at, enterprise_id, workflow_type::text AS workflow_type, workflow_key,
        default_channels::text[] AS channels, payload_schema, template_overrides,
        publish_status::text AS publish_status, deactivated
    FROM notify.ent_notification_workflow WHERE id = ANY (CAST(:ids AS bigint[]))""")


async def read_workflows(engine: Engine, ids: Collection[int]) -> dict[int, Workflow]:
    """Read workflows by id, including those that may not be used; leave out ids that do not exist.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        rows = await connection.execute(_WORKFLOWS, {"ids": list(ids)})
        return {
            row.id: Workflow(
                row.id,
                row.updated_at,
                row.enterprise_id,
                WorkflowType(row.workflow_type),
                row.workflow_key,
                [Channel(name) for name in row.channels],
                row.payload_schema,
                # A value that is no text names no template.
                {name: key for name, key in row.template_overrides.items() if isinstance(key, str)},
                PublishStatus(row.publish_status),
                row.deactivated,
            )
            for row in rows
        }
