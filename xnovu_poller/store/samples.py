"""Read what notifications of late had for templates, so that a new version of a template can be tried."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from xnovu_poller.lifecycle import Channel
from xnovu_poller.store.engine import Engine, acquire

MOST_PAYLOAD_BYTES = 262_144
"""A larger payload is not read."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A notification as far as its texts depend on it.

    Attributes:
        template_key: what its workflow names for the channel.
        locale, time_zone: None for those of its enterprise.
        due_at: when it became due.
        fired_at: the time for which its rule fired; None if no rule made it.
        payload: the JSON text; None if it exceeds `MOST_PAYLOAD_BYTES`.
    """

    id: int
    enterprise_id: str
    name: str
    workflow_key: str
    workflow_name: str
    template_key: str
    locale: str | None
    time_zone: str | None
    due_at: datetime
    scheduled_for: datetime | None
    fired_at: datetime | None
    payload: str | None


_SAMPLES = text("""
    WITH newest AS (
        -- The only rows that are looked through, because no index finds those of a template.
        SELECT id, enterprise_id, notification_workflow_id, channels FROM notify.ent_notification
        ORDER BY id DESC LIMIT 200000
    )
    SELECT n.id, n.enterprise_id, n.name, w.workflow_key, left(w.name, 1000) AS workflow_name,
        w.template_overrides ->> CAST(:channel AS text) AS template_key, n.locale, n.time_zone,
        least(greatest(n.created_at, n.scheduled_for), clock_timestamp()) AS due_at,
        CASE WHEN n.scheduled_for BETWEEN '0100-01-01Z' AND '9000-01-01Z' THEN n.scheduled_for END AS scheduled_for,
        n.fired_at, CASE WHEN octet_length(n.payload::text) <= :most THEN n.payload::text END AS payload
    FROM newest
    JOIN notify.ent_notification_workflow w ON w.id = newest.notification_workflow_id
        AND w.template_overrides ->> CAST(:channel AS text) = ANY (CAST(:keys AS text[]))
        AND CAST(:channel AS notify.channel_type) = ANY (coalesce(newest.channels, w.default_channels))
    JOIN notify.ent_notification n ON n.id = newest.id
    WHERE CAST(:enterprise AS text) IS NULL OR newest.enterprise_id = :enterprise
    ORDER BY newest.id DESC LIMIT :last""")


async def read_samples(
    engine: Engine, keys: Collection[str], channel: Channel, enterprise: str | None, last: int
) -> list[Sample]:
    """Read the newest notifications, in any state, whose workflow has one of some templates for a channel.

    Args:
        enterprise: None for all enterprises.
        last: the most of them.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    values = {"keys": list(keys), "channel": channel.value, "enterprise": enterprise, "last": last}
    async with acquire(engine, bounded=False) as connection:
        rows = await connection.execute(_SAMPLES, values | {"most": MOST_PAYLOAD_BYTES})
        return [Sample(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name
