"""The arrow of an operator: revive notifications that are DEAD or RETRACTED."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text

from xnovu_poller.lifecycle import Status
from xnovu_poller.store.engine import Engine, acquire

NOVU_REMEMBERS = timedelta(days=25)
"""A repeat of a transaction id is dropped for 30 days; after 25 we no longer rely on that.
Source: Novu, "Trigger event"."""


@dataclass(frozen=True, slots=True)
class Revived:
    """What became of notifications that a person wants revived; those in neither are DEAD or RETRACTED no more.

    Attributes:
        revived: the state that was written, by id.
        doubtful: left as they were: they may have been accepted, too long ago for Novu to drop a repeat.
    """

    revived: dict[int, Status]
    doubtful: set[int]


_REVIVE = text("""
    WITH ended AS MATERIALIZED (
        -- The rows that were given up. A RETRACTED one of which Novu was asked to cancel something is `renamed`: it
        -- gets another transaction id. Of a doubtful one something may have been accepted.
        SELECT n.id, coalesce(n.processed_at, n.retracted_at) AS ended_at,
            n.notification_status = 'RETRACTED' AND n.error_details ? 'delivery' AS renamed,
            n.unknown_outcomes > 0 OR EXISTS (
                SELECT FROM notify.ent_notification_delivery d
                WHERE d.notification_id = n.id AND d.outcome = 'unknown') AS doubtful
        FROM notify.ent_notification n
        WHERE n.id = ANY (CAST(:ids AS bigint[])) AND n.notification_status IN ('DEAD', 'RETRACTED')
        ORDER BY n.id
        FOR UPDATE OF n
    ), chosen AS MATERIALIZED (
        -- Those of which Novu would drop a repeat.
        SELECT id, renamed FROM ended
        WHERE :force OR renamed OR NOT doubtful
            OR ended_at > clock_timestamp() - make_interval(secs => :remembered)
    ), removed AS (
        -- The chunks of renamed rows that were not accepted: they are made anew, under the new transaction id.
        DELETE FROM notify.ent_notification_delivery AS d USING chosen
        WHERE d.notification_id = chosen.id AND chosen.renamed AND d.outcome IS DISTINCT FROM 'accepted'
    ), reopened AS (
        -- The chunks of the others that were refused: they are sent again.
        UPDATE notify.ent_notification_delivery AS d SET outcome = NULL, error_details = NULL, answered_at = NULL
        FROM chosen WHERE d.notification_id = chosen.id AND NOT chosen.renamed AND d.outcome = 'refused'
    ), revived AS (
        -- The notifications themselves.
        UPDATE notify.ent_notification AS n SET notification_status = 'PENDING', failure_count = 0, lapses = 0,
            next_attempt_at = NULL, processed_at = NULL, error_details = NULL,
            retract_requested_at = NULL, retracted_at = NULL, retraction_reason = NULL,
            transaction_id = CASE WHEN chosen.renamed THEN 'xn-' || gen_random_uuid() ELSE n.transaction_id END,
            unknown_outcomes = CASE WHEN chosen.renamed THEN 0 ELSE n.unknown_outcomes END
        FROM chosen WHERE n.id = chosen.id
        RETURNING n.id, n.notification_status
    )
    SELECT ended.id, revived.notification_status AS status FROM ended LEFT JOIN revived USING (id)""")

_WAKE = text("SELECT pg_notify('xnovu_due', '')")


async def revive(engine: Engine, ids: Collection[int], *, force: bool = False) -> Revived:
    """Write DEAD or RETRACTED → PENDING: take it up again, its failures and lapses forgotten.

    A DEAD one keeps its transaction id, so that Novu drops what it had accepted; of a large one only the
    chunks that were not accepted are sent. A row that was RETRACTED after an unknown outcome gets a new
    transaction id, because Novu was asked to cancel the old id.

    Args:
        ids: the notifications, in any order.
        force: also those whose repeat Novu may no longer know.

    Raises:
        StoreUnavailable: nothing may have been written.
    """
    values = {"ids": list(ids), "force": force, "remembered": NOVU_REMEMBERS.total_seconds()}
    async with acquire(engine) as connection:
        rows = (await connection.execute(_REVIVE, values)).all()
        await connection.execute(_WAKE)
    return Revived(
        revived={row.id: Status(row.status) for row in rows if row.status is not None},
        doubtful={row.id for row in rows if row.status is None},
    )
