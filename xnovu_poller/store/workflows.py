"""Read the workflows: the kinds of notification that an enterprise may send."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from xnovu_poller.lifecycle import Channel, PublishStatus, WorkflowType
from xnovu_poller.store.engine import Engine, acquire


@dataclass(frozen=True, slots=True)
class Workflow:
    """The row of a workflow; `version` changes with the row.

    Attributes:
        schema: the JSON text of its payload_schema; None if it has none, or if it exceeds `MOST_SCHEMA_BYTES`.
        schema_bytes: the size of that text, even if it was not read.
    """

    id: int
    version: datetime
    enterprise_id: str | None
    type: WorkflowType
    key: str
    name: str
    channels: list[Channel]
    schema: str | None
    schema_bytes: int
    templates: dict[str, str]
    send_context: bool
    publish_status: PublishStatus
    deactivated: bool


MOST_SCHEMA_BYTES = 65_536
"""Do not read a payload_schema whose text has more bytes than this."""

_WORKFLOWS = text("""
    SELECT id, updated_at, enterprise_id, workflow_type::text AS workflow_type, workflow_key,
        left(name, 1000) AS name, default_channels[1:100]::text[] AS channels,
        CASE WHEN octet_length(payload_schema::text) <= :most THEN payload_schema::text END AS schema,
        coalesce(octet_length(payload_schema::text), 0) AS schema_bytes,
        CASE WHEN octet_length(template_overrides::text) <= :most THEN template_overrides ELSE '{}' END
            AS template_overrides,
        send_context, publish_status::text AS publish_status, deactivated
    FROM notify.ent_notification_workflow WHERE id = ANY (CAST(:ids AS bigint[]))""")


async def read_workflows(engine: Engine, ids: Collection[int]) -> dict[int, Workflow]:
    """Read workflows by id, including those that may not be used; leave out ids that do not exist.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        rows = await connection.execute(_WORKFLOWS, {"ids": list(ids), "most": MOST_SCHEMA_BYTES})
        return {
            row.id: Workflow(
                row.id,
                row.updated_at,
                row.enterprise_id,
                WorkflowType(row.workflow_type),
                row.workflow_key,
                row.name,
                [Channel(name) for name in row.channels],
                row.schema,
                row.schema_bytes,
                # A value that is no text names no template.
                {name: key for name, key in row.template_overrides.items() if isinstance(key, str)},
                row.send_context,
                PublishStatus(row.publish_status),
                row.deactivated,
            )
            for row in rows
        }


_PUBLISHED = text("""
    SELECT c.workflow_type::text AS kind, c.number FROM notify.count_workflows() c""")


async def count_published(engine: Engine) -> dict[str, int]:
    """Return how many workflows of each type are published, of all enterprises; for the API, which may not read them.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        rows = await connection.execute(_PUBLISHED)
        return {row.kind: row.number for row in rows}
