"""Read the notifications that were withdrawn after they were sent, so that Novu can be asked to cancel them."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import text

from xnovu_poller.store.engine import Engine, acquire


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A SENT notification that its producer has withdrawn since.

    Attributes:
        transaction_ids: the ids that Novu accepted: a single id, or an id for each chunk.
        old: it was withdrawn more than an hour ago, and Novu has still not answered.
    """

    notification_id: int
    transaction_ids: list[str]
    old: bool


_WITHDRAWN = text("""
    WITH RECURSIVE enterprises (enterprise_id) AS (
        -- The enterprises with such rows, so that no enterprise waits behind another. A loose index scan, as in the claims.
        (SELECT n.enterprise_id FROM notify.ent_notification n
         WHERE n.notification_status = 'SENT' AND n.retract_requested_at IS NOT NULL AND n.error_details IS NULL
         ORDER BY n.enterprise_id USING ~<~ LIMIT 1)
        UNION ALL
        SELECT (SELECT n.enterprise_id FROM notify.ent_notification n
                WHERE n.notification_status = 'SENT' AND n.retract_requested_at IS NOT NULL AND n.error_details IS NULL
                    AND n.enterprise_id ~>~ enterprises.enterprise_id
                ORDER BY n.enterprise_id USING ~<~ LIMIT 1)
        FROM enterprises WHERE enterprises.enterprise_id IS NOT NULL
    )
    SELECT longest.id, longest.retract_requested_at < clock_timestamp() - interval '1 hour' AS old,
        coalesce((SELECT array_agg(d.transaction_id ORDER BY d.chunk) FROM notify.ent_notification_delivery d
            WHERE d.notification_id = longest.id), ARRAY[longest.transaction_id]) AS transaction_ids
    FROM enterprises, LATERAL (
        SELECT n.id, n.retract_requested_at, n.transaction_id,
            row_number() OVER (ORDER BY n.retract_requested_at, n.id) AS position
        FROM notify.ent_notification n
        WHERE n.notification_status = 'SENT' AND n.retract_requested_at IS NOT NULL AND n.error_details IS NULL
            AND n.enterprise_id = enterprises.enterprise_id AND n.id <> ALL (CAST(:put_off AS bigint[]))
            -- Rows sent before this copy became a deployment of its own belong to the original.
            AND n.processed_at >= (SELECT created_at FROM notify.deployment)
        ORDER BY n.retract_requested_at, n.id LIMIT :limit
    ) AS longest
    ORDER BY longest.position, longest.retract_requested_at LIMIT :limit""")


async def read_withdrawn(engine: Engine, limit: int, put_off: Collection[int]) -> list[Withdrawn]:
    """Read the SENT notifications that are withdrawn and not yet cancelled at Novu.

    The enterprises take turns; within each, the row that was withdrawn first comes first.

    Args:
        put_off: the ids to leave out.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        rows = await connection.execute(_WITHDRAWN, {"limit": limit, "put_off": list(put_off)})
        return [Withdrawn(row.id, row.transaction_ids, row.old) for row in rows]
