"""Read what a notification contains, for a person who asks for it: its payload, its recipients, and what its texts depend on."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from xnovu_poller.lifecycle import Channel, WorkflowType
from xnovu_poller.store.engine import Engine, acquire

MOST_BYTES = 262_144
"""A payload or overrides whose text has more bytes are not read."""

MOST_RECIPIENTS = 100


@dataclass(frozen=True, slots=True)
class Content:
    """A notification as its producer wrote it.

    Attributes:
        payload, overrides: the JSON text, a line for each member; None if there is none, or if it exceeds `MOST_BYTES`.
        recipients: the first of them.
        channels: those of the notification, or else of its workflow.
        workflow_key: None if it has no workflow.
        templates: the key of the template of each channel whose text we render.
        locale, time_zone: None for those of its enterprise.
        due_at: when it became due.
    """

    id: int
    enterprise_id: str
    name: str
    payload: str | None
    overrides: str | None
    recipients: list[str]
    recipient_count: int
    channels: list[Channel]
    workflow_key: str | None
    workflow_name: str
    templates: Mapping[Channel, str]
    locale: str | None
    time_zone: str | None
    due_at: datetime
    scheduled_for: datetime | None
    fired_at: datetime | None


_READ = text(f"""
    SELECT n.id, n.enterprise_id, n.name,
        CASE WHEN octet_length(n.payload::text) <= {MOST_BYTES} THEN jsonb_pretty(n.payload) END AS payload,
        CASE WHEN octet_length(n.overrides::text) <= {MOST_BYTES} THEN jsonb_pretty(n.overrides) END AS overrides,
        n.recipients[1:{MOST_RECIPIENTS}] AS recipients, cardinality(n.recipients) AS recipient_count,
        coalesce(n.channels, w.default_channels, '{{}}')::text[] AS channels,
        w.workflow_key, coalesce(left(w.name, 1000), '') AS workflow_name, w.workflow_type::text AS workflow_type,
        CASE WHEN octet_length(w.template_overrides::text) <= 65536 THEN w.template_overrides ELSE '{{}}' END AS templates,
        n.locale, n.time_zone, least(greatest(n.created_at, n.scheduled_for), clock_timestamp()) AS due_at,
        CASE WHEN n.scheduled_for BETWEEN '0100-01-01Z' AND '9000-01-01Z' THEN n.scheduled_for END AS scheduled_for, n.fired_at
    FROM notify.ent_notification n LEFT JOIN notify.ent_notification_workflow w ON w.id = n.notification_workflow_id
    WHERE n.id = :id LIMIT 1""")  # noqa: S608 - built of constants


async def read_content(engine: Engine, notification_id: int) -> Content | None:
    """Read the content of a notification; return None if there is none of this id.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        row = (await connection.execute(_READ, {"id": notification_id})).mappings().one_or_none()
    if row is None:
        return None
    values = dict(row)
    channels = [Channel(name) for name in dict.fromkeys(values["channels"])]
    is_dynamic = values.pop("workflow_type") == WorkflowType.DYNAMIC
    named = {name: key for name, key in values["templates"].items() if isinstance(key, str)}
    templates = {channel: named.get(channel, "") for channel in channels if is_dynamic or channel in named}
    return Content(**values | {"channels": channels, "templates": templates})
