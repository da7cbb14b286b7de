"""The arrows of people: what was given up or withdrawn is taken up again."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text

from xnovu_poller.lifecycle import seconds
from xnovu_poller.store.engine import Engine, acquire

NOVU_REMEMBERS = timedelta(days=25)
"""A repeat of a transaction id is dropped for 30 days; after so long we no longer count on it.
Source: Novu, "Trigger event"."""


@dataclass(frozen=True, slots=True)
class Revived:
    """What became of the notifications that were to be revived; those in neither set are DEAD or RETRACTED no more.

    Attributes:
        revived: PENDING again.
        doubtful: left as they were: they may have been accepted, too long ago for Novu to drop a repeat.
    """

    revived: set[int]
    doubtful: set[int]


async def revive(engine: Engine, ids: Collection[int], *, force: bool = False) -> Revived:
    """DEAD or RETRACTED → PENDING: take it up again, its failures and lapses forgotten.

    A DEAD one keeps its transaction id, so that Novu drops what it had accepted; of a large one only the
    chunks that were not accepted are sent. One that was RETRACTED after an unknown outcome gets a new
    transaction id, for Novu has been told to cancel the old one.

    Args:
        engine: where the rows are.
        ids: the notifications, in any order.
        force: also those whose repeat Novu may no longer know.

    Raises:
        StoreUnavailable: nothing may have been written.
    """
    values = {"ids": list(ids), "force": force, "remembered": seconds(NOVU_REMEMBERS)}
    async with acquire(engine) as connection:
        rows = (await connection.execute(_REVIVE, values)).all()
        await connection.execute(text("SELECT pg_notify('xnovu_due', '')"))
    return Revived({row.id for row in rows if row.revived}, {row.id for row in rows if not row.revived})


_REVIVE = text("""
    WITH asked AS MATERIALIZED (
        SELECT n.id, coalesce(n.processed_at, n.retracted_at) AS ended_at, n.notification_status = 'RETRACTED' AND n.error_details ? 'delivery' AS anew,
            n.unknown_outcomes > 0 OR EXISTS (
                SELECT FROM notify.ent_notification_delivery d
                WHERE d.notification_id = n.id AND d.outcome = 'unknown') AS doubt
        FROM notify.ent_notification n
        WHERE n.id = ANY (CAST(:ids AS bigint[])) AND n.notification_status IN ('DEAD', 'RETRACTED')
        ORDER BY n.id
        FOR UPDATE OF n
    ), mine AS MATERIALIZED (
        SELECT id, anew FROM asked
        WHERE :force OR anew OR NOT doubt
            OR ended_at > clock_timestamp() - make_interval(secs => :remembered)
    ), recut AS (
        DELETE FROM notify.ent_notification_delivery AS d USING mine
        WHERE d.notification_id = mine.id AND mine.anew AND d.outcome IS DISTINCT FROM 'accepted'
    ), again AS (
        UPDATE notify.ent_notification_delivery AS d SET outcome = NULL, error_details = NULL, answered_at = NULL
        FROM mine WHERE d.notification_id = mine.id AND NOT mine.anew AND d.outcome = 'refused'
    ), revived AS (
        UPDATE notify.ent_notification AS n SET notification_status = 'PENDING', failure_count = 0, lapses = 0,
            next_attempt_at = NULL, processed_at = NULL, error_details = NULL,
            retract_requested_at = NULL, retracted_at = NULL, retraction_reason = NULL,
            transaction_id = CASE WHEN mine.anew THEN 'xn-' || gen_random_uuid() ELSE n.transaction_id END,
            unknown_outcomes = CASE WHEN mine.anew THEN 0 ELSE n.unknown_outcomes END
        FROM mine WHERE n.id = mine.id
        RETURNING n.id
    )
    SELECT asked.id, revived.id IS NOT NULL AS revived FROM asked LEFT JOIN revived USING (id)""")
