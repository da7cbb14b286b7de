"""Delete notifications that ended long ago, a slice of ids at a time, so that no loop waits for it."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text

from xnovu_poller.store.engine import Engine, acquire

SLICE = 500
"""Rows that a statement looks at and may delete: some milliseconds, and little WAL."""


@dataclass(frozen=True, slots=True)
class PurgeResult:
    """What became of one slice.

    Attributes:
        deleted: how many notifications were deleted, with their deliveries.
        after: the last id of the slice, after which the next slice begins; None if no later row is old enough.
        taken: another replica is purging, so nothing was looked at.
    """

    deleted: int
    after: int | None
    taken: bool = False


# A row was created before it ended: if no row of a slice was created before the horizon, no later row was.
_PURGE = text("""
    WITH session AS MATERIALIZED (
        -- Only one replica purges at a time. It does not wait for the disk: after a crash some rows come back, and
        -- are deleted again.
        SELECT pg_try_advisory_xact_lock(hashtext('xnovu-poller purge')) AS has_lock,
            set_config('synchronous_commit', 'off', true) AS synchronous_commit,
            clock_timestamp() - make_interval(secs => :keep) AS horizon
    ), slice AS MATERIALIZED (
        -- The next rows by id, and whether each is old enough to have ended before the horizon.
        SELECT n.id, n.created_at < session.horizon AS older
        FROM session, LATERAL (
            SELECT id, created_at FROM notify.ent_notification WHERE id > :after ORDER BY id LIMIT :size
        ) AS n
        WHERE session.has_lock
    ), ended AS MATERIALIZED (
        -- The rows that ended before the horizon, except those that others hold or that wait for a cancel at Novu.
        SELECT n.id FROM session, notify.ent_notification n
        WHERE n.id = ANY (ARRAY(SELECT id FROM slice WHERE older))
            AND n.notification_status IN ('SENT', 'DEAD', 'RETRACTED')
            AND coalesce(greatest(n.processed_at, n.retracted_at), n.updated_at) < session.horizon
            AND NOT (n.notification_status = 'SENT' AND n.retract_requested_at IS NOT NULL AND n.error_details IS NULL)
        ORDER BY n.id
        FOR UPDATE OF n SKIP LOCKED
    ), deleted AS (
        -- Delete them; their deliveries go with them.
        DELETE FROM notify.ent_notification n USING ended WHERE n.id = ended.id
        RETURNING n.id
    )
    SELECT session.has_lock, (SELECT count(*) FROM deleted) AS deleted, (SELECT max(id) FROM slice) AS after,
        coalesce((SELECT bool_or(older) FROM slice), false) AS older
    FROM session""")


async def purge(engine: Engine, after: int, keep: timedelta, *, size: int = SLICE) -> PurgeResult:
    """Delete the SENT, DEAD and RETRACTED rows of the next slice that ended too long ago.

    No arrow: the row is gone. A row that somebody holds stays, and so does a row that was withdrawn after it
    was sent, until Novu has been asked to cancel it. Waits for nothing: no row, no other replica, no disk.

    Args:
        after: the id after which the slice begins; 0 at first.
        keep: how long ended rows are kept.
        size: rows of the slice.

    Raises:
        StoreUnavailable: nothing may have been deleted.
    """
    values = {"after": after, "keep": keep.total_seconds(), "size": size}
    async with acquire(engine) as connection:
        row = (await connection.execute(_PURGE, values)).one()
    return PurgeResult(row.deleted, row.after if row.older else None, taken=not row.has_lock)
