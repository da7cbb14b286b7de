"""The arrows for people: retract notifications, and revive those that are DEAD or RETRACTED."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import text

from xnovu_poller.lifecycle import Status
from xnovu_poller.store.engine import Engine, acquire
from xnovu_poller.store.notifications.listing import read_states

NOVU_REMEMBERS = timedelta(days=25)
"""Novu drops a repeat of a transaction id for 30 days; after this time we no longer rely on it. Source: Novu, "Trigger event"."""


@dataclass(frozen=True, slots=True)
class Revived:
    """The result of `revive`; an id in no attribute does not exist.

    Attributes:
        revived: the state that was written, by id.
        doubtful: unchanged, because Novu may have accepted them too long ago to drop a repeat.
        locked: unchanged, because another session has locked their rows.
        unfit: unchanged, because they are in another state, by id.
    """

    revived: dict[int, Status]
    doubtful: set[int]
    locked: set[int] = field(default_factory=set)
    unfit: dict[int, Status] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Retracted:
    """The result of `retract`; an id in no attribute does not exist.

    Attributes:
        states: the state after it, by id. Unless it is RETRACTED, a send is under way or has an unknown outcome, which
            decides; or it is SENT, and Novu is asked to cancel the rest.
        locked: unchanged, because another session has locked their rows.
        unfit: unchanged, because they are in a state that was not asked for, by id.
    """

    states: dict[int, Status]
    locked: set[int] = field(default_factory=set)
    unfit: dict[int, Status] = field(default_factory=dict)


_REVIVE = text("""
    WITH ended AS MATERIALIZED (
        -- The rows that are still in one of the states. `renamed`: Novu was asked to cancel the row, so it needs another transaction id.
        -- `doubtful`: Novu may have accepted something of it.
        SELECT n.id, coalesce(n.processed_at, n.retracted_at) AS ended_at,
            n.notification_status = 'RETRACTED' AND n.error_details ? 'delivery' AS renamed,
            n.unknown_outcomes > 0 OR EXISTS (
                SELECT FROM notify.ent_notification_delivery d
                WHERE d.notification_id = n.id AND d.outcome = 'unknown') AS doubtful
        FROM notify.ent_notification n
        WHERE n.id = ANY (CAST(:ids AS bigint[]))
            AND n.notification_status = ANY (CAST(:states AS notify.notification_status[]))
        ORDER BY n.id
        FOR NO KEY UPDATE OF n SKIP LOCKED
    ), chosen AS MATERIALIZED (
        -- The rows to revive: sending them again is harmless, or is forced.
        SELECT id, renamed FROM ended
        WHERE :force OR renamed OR NOT doubtful
            OR ended_at > clock_timestamp() - make_interval(secs => :remembered)
    ), removed AS (
        -- The unaccepted chunks of renamed rows: delete them, so that they are created again under the new id.
        DELETE FROM notify.ent_notification_delivery AS d USING chosen
        WHERE d.notification_id = chosen.id AND chosen.renamed AND d.outcome IS DISTINCT FROM 'accepted'
    ), reopened AS (
        -- The refused chunks of the other rows: forget the refusal, so that they are sent again.
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
    ), audited AS (
        -- The line of the action counts them.
        UPDATE notify.ent_audit AS a SET changed = a.changed + (SELECT count(*) FROM revived) WHERE a.id = :audit
    )
    SELECT ended.id, revived.notification_status AS status FROM ended LEFT JOIN revived USING (id)""")

_WAKE = text("SELECT pg_notify('xnovu_due', '')")


REVIVABLE = (Status.DEAD, Status.RETRACTED)


async def revive(
    engine: Engine,
    ids: Collection[int],
    *,
    force: bool = False,
    states: Collection[Status] = REVIVABLE,
    audit: int | None = None,
) -> Revived:
    """Write DEAD or RETRACTED → PENDING, and forget failures and lapses.

    A DEAD notification keeps its transaction id, so that Novu drops what it accepted before. Chunks that were accepted
    are not sent again. A notification that was RETRACTED after an unknown outcome gets a new transaction id, because
    Novu was asked to cancel the old id.

    Args:
        force: also revive notifications that Novu may have accepted too long ago to drop a repeat.
        states: revive only notifications in one of these.
        audit: the line of the audit that counts them.

    Raises:
        StoreUnavailable: nothing may have been written.
    """
    values = {
        "ids": list(ids),
        "states": list(states),
        "force": force,
        "remembered": NOVU_REMEMBERS.total_seconds(),
        "audit": audit,
    }
    async with acquire(engine) as connection:
        rows = (await connection.execute(_REVIVE, values)).all()
        await connection.execute(_WAKE)
    left = await read_states(engine, set(ids) - {row.id for row in rows})
    return Revived(
        revived={row.id: Status(row.status) for row in rows if row.status is not None},
        doubtful={row.id for row in rows if row.status is None},
        locked={id_ for id_, status in left.items() if status in states},
        unfit={id_: status for id_, status in left.items() if status not in states},
    )


_RETRACT = text("""
    WITH chosen AS MATERIALIZED (
        -- The rows that are still in one of the states.
        SELECT n.id FROM notify.ent_notification n
        WHERE n.id = ANY (CAST(:ids AS bigint[]))
            AND n.notification_status = ANY (CAST(:states AS notify.notification_status[]))
        ORDER BY n.id
        FOR UPDATE SKIP LOCKED
    ), retracted AS MATERIALIZED (
        -- The function for producers decides what becomes of each.
        SELECT chosen.id, notify.retract(chosen.id, :reason) AS status FROM chosen
    ), audited AS (
        -- The line of the action counts them.
        UPDATE notify.ent_audit AS a SET changed = a.changed + (SELECT count(*) FROM retracted) WHERE a.id = :audit
    )
    SELECT retracted.id, retracted.status FROM retracted""")

RETRACTABLE = (Status.PENDING, Status.FAILED, Status.PROCESSING, Status.SENT)
"""The states from which a notification can be retracted, in their order: it moves on while others are retracted."""


async def retract(
    engine: Engine,
    ids: Collection[int],
    reason: str,
    *,
    states: Collection[Status] = RETRACTABLE,
    audit: int | None = None,
) -> Retracted:
    """Write PENDING, FAILED or PROCESSING → RETRACTED, or request it while an outcome is open.

    Args:
        reason: stays in the row.
        states: retract only notifications in one of these.
        audit: the line of the audit that counts them.

    Raises:
        StoreUnavailable: nothing may have been written.
    """
    values = {"ids": list(ids), "states": list(states), "reason": reason, "audit": audit}
    async with acquire(engine) as connection:
        rows = (await connection.execute(_RETRACT, values)).all()
    left = await read_states(engine, set(ids) - {row.id for row in rows})
    return Retracted(
        states={row.id: Status(row.status) for row in rows},
        locked={id_ for id_, status in left.items() if status in states},
        unfit={id_: status for id_, status in left.items() if status not in states},
    )
