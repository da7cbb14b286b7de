"""What the API does with notifications of the enterprise of a key: insert many, retract or revive one."""

from dataclasses import dataclass

import psycopg
from sqlalchemy import text

from xnovu_poller.lifecycle import Status
from xnovu_poller.store.engine import Engine, Tenant, acquire, query


@dataclass(frozen=True, slots=True)
class Enqueued:
    """A notification that was asked for; `is_new` is false if it was there under its `dedup_key`."""

    id: int
    is_new: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """Why the database refuses a list of notifications; none of them was inserted.

    Attributes:
        place: of the notification in the list; None: the list cannot be read.
        rule: the rule that is broken, such as `ent_notification_payload_check`; empty if it has no name.
        sentence: the problem, without content of the payload.
        advice: what to do.
        is_conflict: another notification has the `dedup_key`.
    """

    place: int | None
    rule: str
    sentence: str
    advice: str
    is_conflict: bool = False


# The function is a transaction for the enterprise.
_ENQUEUE = text("""
    SELECT e.id, e.is_new
    FROM notify.enqueue_many(:enterprise_id, CAST(CAST(:notifications AS text) AS jsonb), :dedup_key) e ORDER BY e.place""")


async def enqueue_many(
    engine: Engine, enterprise_id: str, notifications: str, dedup_key: str | None = None
) -> list[Enqueued] | Refused:
    """Insert all notifications of a list, or none.

    Args:
        notifications: a JSON list of objects with the arguments of `notify.enqueue`. It is passed on as it is, so that no
            number of a payload changes.
        dedup_key: that of the only notification.

    Raises:
        StoreUnavailable: they may or may not have been inserted.
    """
    values = {"enterprise_id": enterprise_id, "notifications": notifications, "dedup_key": dedup_key}
    try:
        rows = await query(engine, _ENQUEUE, values)
    except (psycopg.IntegrityError, psycopg.DataError, psycopg.errors.InsufficientPrivilege) as error:
        return _refused(error)
    return [Enqueued(row.id, row.is_new) for row in rows]


# The body names its members as the earlier system did.
_TRIGGER = text("""
    SELECT e.id, e.is_new
    FROM (SELECT CAST(CAST(:body AS text) AS jsonb)) AS sent (body), LATERAL notify.enqueue_many(:enterprise_id,
        jsonb_build_array(jsonb_build_object('workflow_key', body -> 'workflowId', 'payload', body -> 'payload',
            'recipients', CASE WHEN body ->> 'subscriberIds' IS NULL THEN jsonb_build_array(body -> 'subscriberId')
                ELSE body -> 'subscriberIds' END)), :dedup_key) e""")


async def trigger(
    engine: Engine, enterprise_id: str, body: str, dedup_key: str | None = None
) -> Enqueued | Refused:
    """Insert a notification as `POST /api/trigger` has it.

    Raises:
        StoreUnavailable: it may or may not have been inserted.
    """
    try:
        (row,) = await query(
            engine, _TRIGGER, {"enterprise_id": enterprise_id, "body": body, "dedup_key": dedup_key}
        )
    except (psycopg.IntegrityError, psycopg.DataError, psycopg.errors.InsufficientPrivilege) as error:
        return _refused(error)
    return Enqueued(row.id, row.is_new)


def _refused(error: psycopg.Error) -> Refused:
    place = error.diag.message_detail or ""
    if not place.isdecimal():
        # PostgreSQL's own sentences may quote the text.
        return Refused(None, "", "the JSON has a character or a number that PostgreSQL cannot store", "")
    return Refused(
        int(place),
        error.diag.constraint_name or "",
        error.diag.message_primary or "",
        error.diag.message_hint or "",
        is_conflict=isinstance(error, psycopg.errors.UniqueViolation),
    )


_RETRACT = text("SELECT notify.retract_own(:id, :reason, :actor) AS status")


async def retract(tenant: Tenant, notification_id: int, reason: str, actor: str) -> Status | None:
    """Retract a notification, or request it while an outcome is open; return its state, or None if there is none.

    Raises:
        StoreUnavailable: it may or may not be retracted.
    """
    async with acquire(tenant) as connection:
        values = {"id": notification_id, "reason": reason, "actor": actor}
        status = await connection.scalar(_RETRACT, values)
    return None if status is None else Status(status)


@dataclass(frozen=True, slots=True)
class Revived:
    """What became of a notification that should be revived.

    Attributes:
        is_doubtful: unchanged, because Novu may have accepted it too long ago to drop a repeat.
        status: afterwards; PENDING if it was revived.
    """

    is_doubtful: bool
    status: Status


_REVIVE = text("SELECT r.is_there, r.is_doubtful, r.status FROM notify.revive_own(:id, :actor) r")


async def revive(tenant: Tenant, notification_id: int, actor: str) -> Revived | None:
    """Write DEAD or RETRACTED → PENDING; None if there is no such notification.

    Raises:
        StoreUnavailable: it may or may not be revived.
    """
    async with acquire(tenant) as connection:
        row = (await connection.execute(_REVIVE, {"id": notification_id, "actor": actor})).one()
    return Revived(row.is_doubtful, Status(row.status)) if row.is_there else None
