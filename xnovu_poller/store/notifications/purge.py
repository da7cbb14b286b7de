"""What has ended long ago goes: slice by slice of the ids, so that no loop waits for it."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text

from xnovu_poller.lifecycle import seconds
from xnovu_poller.store.engine import Engine, acquire

SLICE = 500
"""Rows looked at, and at most deleted, by one statement: some milliseconds, a share of the WAL that others do not feel."""


@dataclass(frozen=True, slots=True)
class Purged:
    """What became of one slice.

    Attributes:
        deleted: how many notifications went, with their deliveries.
        after: the last id of the slice, where the next one begins; None where nothing behind it is old enough.
        taken: another replica purges just now; nothing was looked at.
    """

    deleted: int
    after: int | None
    taken: bool = False


async def purge(engine: Engine, after: int, keep: timedelta, *, size: int = SLICE) -> Purged:
    """Delete from the next ids what is SENT, DEAD or RETRACTED for longer than it is kept; no arrow, the row is gone.

    A row that somebody holds stays, and so does one that was withdrawn after it was sent, until Novu has
    been asked to cancel it. Nothing is waited for: not a row, not another replica, not the disk (a crash brings
    some rows back, which are deleted again).

    Args:
        engine: where the rows are.
        after: the id behind which the slice begins; 0 at first.
        keep: for how long ended rows stay.
        size: rows of the slice.

    Raises:
        StoreUnavailable: nothing may have been deleted.
    """
    values = {"after": after, "keep": seconds(keep), "size": size}
    async with acquire(engine) as connection:
        row = (await connection.execute(_PURGE, values)).one()
    return Purged(row.deleted, row.after if row.older else None, taken=not row.alone)


# An ended row was made before it ended: behind a slice without one row so old, there are none.
_PURGE = text("""
    WITH alone AS MATERIALIZED (
        SELECT pg_try_advisory_xact_lock(hashtext('xnovu-poller purge')) AS alone,
            set_config('synchronous_commit', 'off', true) AS unhurried,
            clock_timestamp() - make_interval(secs => :keep) AS horizon
    ), slice AS MATERIALIZED (
        SELECT n.id, n.created_at < alone.horizon AS older
        FROM alone, LATERAL (
            SELECT id, created_at FROM notify.ent_notification WHERE id > :after ORDER BY id LIMIT :size
        ) AS n
        WHERE alone.alone
    ), ended AS MATERIALIZED (
        SELECT n.id FROM alone, notify.ent_notification n
        WHERE n.id = ANY (ARRAY(SELECT id FROM slice WHERE older))
            AND n.notification_status IN ('SENT', 'DEAD', 'RETRACTED')
            AND coalesce(greatest(n.processed_at, n.retracted_at), n.updated_at) < alone.horizon
            AND NOT (n.notification_status = 'SENT' AND n.retract_requested_at IS NOT NULL AND n.error_details IS NULL)
        ORDER BY n.id
        FOR UPDATE OF n SKIP LOCKED
    ), gone AS (
        DELETE FROM notify.ent_notification n USING ended WHERE n.id = ended.id
        RETURNING n.id
    )
    SELECT alone.alone, (SELECT count(*) FROM gone) AS deleted, (SELECT max(id) FROM slice) AS after,
        coalesce((SELECT bool_or(older) FROM slice), false) AS older
    FROM alone""")
