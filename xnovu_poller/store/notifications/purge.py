"""Delete notifications that ended long ago, in slices of ids, so that no loop waits for the purge."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text

from xnovu_poller.errors import ClocksApart, StoreLocked
from xnovu_poller.store.engine import Engine, acquire

SLICE = 500
"""The rows that a statement looks at and may delete: it takes some milliseconds, and writes little WAL."""


@dataclass(frozen=True, slots=True)
class PurgeResult:
    """The result of purging a slice.

    Attributes:
        deleted: how many notifications were deleted, with their deliveries and incidents.
        after: the last id of the slice, after which the next slice begins; None if no later row is old enough.
    """

    deleted: int
    after: int | None


CLOCKS_DIFFER_AT_MOST = timedelta(minutes=1)
"""A purge cannot be undone, so the clocks of the database and of this process must agree on the age of a row."""


# Ids follow creation, and a row ends after its creation: if no row of a slice was created before the horizon, no later
# row ended before it.
_PURGE = text("""
    WITH chore AS MATERIALIZED (
        -- Lock the row of the chore, so that only one replica purges at a time. Only the worker may lock it.
        SELECT c.name FROM notify.chore c WHERE c.name = 'retention' FOR NO KEY UPDATE SKIP LOCKED
    ), session AS MATERIALIZED (
        -- Do not wait for the disk: rows that come back after a crash are deleted again.
        SELECT EXISTS (SELECT FROM chore) OR NOT EXISTS (SELECT FROM notify.chore c WHERE c.name = 'retention') AS has_lock,
            set_config('synchronous_commit', 'off', true) AS synchronous_commit,
            abs(CAST(extract(epoch FROM clock_timestamp()) AS float8) - :now) AS apart,
            clock_timestamp() - make_interval(secs => :keep) AS horizon
    ), slice AS MATERIALIZED (
        -- The next rows by id, and whether each is old enough that it may have ended before the horizon.
        SELECT n.id, n.created_at < session.horizon AS older
        FROM session, LATERAL (
            SELECT id, created_at FROM notify.ent_notification WHERE id > :after ORDER BY id LIMIT :size
        ) AS n
        WHERE session.has_lock AND session.apart <= :apart
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
        -- Delete these rows; their deliveries go with them.
        DELETE FROM notify.ent_notification n USING ended WHERE n.id = ended.id
        RETURNING n.id
    ), forgotten AS (
        -- Delete their incidents, and those of rows that were deleted otherwise: there is no foreign key.
        DELETE FROM notify.ent_notification_event e
        WHERE e.notification_id > :after AND e.notification_id <= (SELECT max(id) FROM slice)
            AND (e.notification_id IN (SELECT id FROM deleted)
                OR NOT EXISTS (SELECT FROM notify.ent_notification n WHERE n.id = e.notification_id))
    )
    SELECT session.has_lock, session.apart, (SELECT count(*) FROM deleted) AS deleted, (SELECT max(id) FROM slice) AS after,
        coalesce((SELECT bool_or(older) FROM slice), false) AS older
    FROM session""")


async def purge(
    engine: Engine,
    after: int,
    keep: timedelta,
    *,
    size: int = SLICE,
    clock: Callable[[], float] = time.time,
) -> PurgeResult:
    """Delete the SENT, DEAD and RETRACTED rows of the next slice that ended longer than `keep` ago.

    A row that somebody holds stays. So does a row that was withdrawn after it was sent, until Novu has been asked to
    cancel it. The purge waits for no row, no other replica and no disk.

    Args:
        after: the id after which the slice begins; 0 at first.
        keep: how long ended rows are kept.
        clock: this process's clock, in seconds since 1970.

    Raises:
        ClocksApart: the clocks of the database and of this process disagree; nothing was deleted.
        StoreLocked: another session has locked the row of the chore; nothing was deleted.
        StoreUnavailable: nothing may have been deleted.
    """
    values = {
        "after": after,
        "keep": keep.total_seconds(),
        "size": size,
        "now": clock(),
        "apart": CLOCKS_DIFFER_AT_MOST.total_seconds(),
    }
    async with acquire(engine) as connection:
        row = (await connection.execute(_PURGE, values)).one()
    if row.apart > CLOCKS_DIFFER_AT_MOST.total_seconds():
        raise ClocksApart(timedelta(seconds=row.apart))
    if not row.has_lock:
        raise StoreLocked
    return PurgeResult(row.deleted, row.after if row.older else None)
