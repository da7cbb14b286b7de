"""The arrows of operators: notifications are retracted, or revived so that nothing accepted is sent again."""

from datetime import timedelta

import psycopg
import pytest

from tests.support.rows import Db, a_notification, back_dated, open_db, row, soon, written
from tests.support.waiting import WITHIN
from xnovu_poller.lifecycle import Status
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications.by_operator import NOVU_REMEMBERS, Retracted, Revived, retract, revive

CHUNK = """
INSERT INTO notify.ent_notification_delivery
    (notification_id, chunk, enterprise_id, recipients, transaction_id, refusals, outcome, error_details, answered_at)
SELECT id, %s, enterprise_id, ARRAY['s' || %s::int], transaction_id || '-' || %s::int, 1, %s, '{}', now()
FROM notify.ent_notification WHERE id = %s"""
CHUNKS = (
    "SELECT chunk, outcome, transaction_id, refusals FROM notify.ent_notification_delivery ORDER BY chunk"
)
LONG_AGO = NOVU_REMEMBERS + timedelta(minutes=1)


def a_chunk(db: Db, made: int, number: int, outcome: str | None) -> None:
    """Insert a chunk of a notification with its outcome."""
    db.execute(CHUNK, [number, number, number, outcome, made])


async def test_a_dead_notification_is_revived_under_its_transaction_id(engine: Engine, db: Db) -> None:
    """Its failures and lapses are reset, its refusals and attempts are not."""
    made = a_notification(db, status=Status.DEAD)
    written(
        db, made, failure_count=8, lapses=4, refusals=2, unknown_outcomes=1, error_details={"code": "poison"}
    )
    before = row(db, made)

    assert await revive(engine, [made]) == Revived({made: Status.PENDING}, set())

    after = row(db, made)
    assert after["notification_status"] == "PENDING"
    assert (after["failure_count"], after["lapses"], after["refusals"], after["unknown_outcomes"]) == (
        0,
        0,
        2,
        1,
    )
    assert (after["attempt"], after["transaction_id"]) == (before["attempt"], before["transaction_id"])
    assert (after["error_details"], after["processed_at"], after["next_attempt_at"]) == (None, None, None)


async def test_a_retracted_notification_is_revived(engine: Engine, db: Db) -> None:
    """Nothing was accepted, so the transaction id stays; all marks of the retraction go."""
    made = a_notification(db, status=Status.RETRACTED)
    written(db, made, retraction_reason="a mistake", retract_requested_at="2026-01-01T00:00Z")
    before = row(db, made)

    assert await revive(engine, [made]) == Revived({made: Status.PENDING}, set())

    after = row(db, made)
    assert after["transaction_id"] == before["transaction_id"]
    assert (after["retraction_reason"], after["retract_requested_at"], after["retracted_at"]) == (
        None,
        None,
        None,
    )


async def test_a_cancelled_notification_gets_a_new_transaction_id(engine: Engine, db: Db) -> None:
    """Novu was asked to cancel its former id; accepted chunks stay accepted."""
    made = a_notification(db, status=Status.RETRACTED)
    written(db, made, error_details={"delivery": "unknown"}, unknown_outcomes=2)
    for number, outcome in enumerate(["accepted", "unknown", None], 1):
        a_chunk(db, made, number, outcome)
    before = row(db, made)["transaction_id"]

    assert await revive(engine, [made]) == Revived({made: Status.PENDING}, set())

    after = row(db, made)
    assert after["transaction_id"] != before
    assert after["unknown_outcomes"] == 0
    assert [chunk["chunk"] for chunk in db.execute(CHUNKS)] == [1]


async def test_only_refused_chunks_are_sent_again(engine: Engine, db: Db) -> None:
    """They keep their transaction ids, but their idempotency keys change."""
    made = a_notification(db, status=Status.DEAD)
    for number, outcome in enumerate(["accepted", "refused", "unknown"], 1):
        a_chunk(db, made, number, outcome)

    assert await revive(engine, [made]) == Revived({made: Status.PENDING}, set())

    before = row(db, made)["transaction_id"]
    assert db.execute(CHUNKS).fetchall() == [
        {"chunk": number, "outcome": outcome, "transaction_id": f"{before}-{number}", "refusals": 1}
        for number, outcome in enumerate(["accepted", None, "unknown"], 1)
    ]


@pytest.mark.parametrize("where", ["notification", "chunk"])
async def test_a_notification_that_novu_may_have_forgotten_is_not_revived(
    engine: Engine, db: Db, where: str
) -> None:
    """A repeat after thirty days would be delivered twice; only a person can decide that."""
    made = a_notification(db, status=Status.DEAD)
    back_dated(db, made, LONG_AGO, "processed_at")
    if where == "chunk":
        a_chunk(db, made, 1, "unknown")
    else:
        written(db, made, unknown_outcomes=1)

    assert await revive(engine, [made]) == Revived({}, {made})
    assert row(db, made)["notification_status"] == "DEAD"
    assert await revive(engine, [made], force=True) == Revived({made: Status.PENDING}, set())
    assert row(db, made)["notification_status"] == "PENDING"


async def test_an_unaccepted_notification_can_be_revived_at_any_age(engine: Engine, db: Db) -> None:
    """There is nothing that Novu has to remember."""
    made = a_notification(db, status=Status.DEAD)
    back_dated(db, made, LONG_AGO, "processed_at")

    assert await revive(engine, [made]) == Revived({made: Status.PENDING}, set())


@pytest.mark.parametrize("status", [Status.PENDING, Status.PROCESSING, Status.SENT, Status.FAILED])
async def test_nothing_else_is_revived(engine: Engine, db: Db, status: Status) -> None:
    """A notification under way or sent does not change, and an unknown id has no effect."""
    made = a_notification(db, status=status)
    before = row(db, made)

    assert await revive(engine, [made, made + 1], force=True) == Revived({}, set(), unfit={made: status})
    assert row(db, made) == before


async def test_a_revival_wakes_the_loops(engine: Engine, db: Db, database: str) -> None:
    """The table's trigger does not fire on changes of status, so the statement notifies."""
    made = a_notification(db, status=Status.DEAD)
    with psycopg.connect(database, autocommit=True) as listener:
        listener.execute("LISTEN xnovu_due")

        await revive(engine, [made])

        assert [notification.channel for notification in listener.notifies(timeout=WITHIN, stop_after=1)] == [
            "xnovu_due"
        ]


async def test_a_locked_notification_is_reported(engine: Engine, db: Db, database: str) -> None:
    """The others are revived at once; a person can try again or end the other session."""
    locked, other = a_notification(db, status=Status.DEAD), a_notification(db, status=Status.DEAD)
    with open_db(database) as holder, holder.transaction():
        holder.execute("SELECT FROM notify.ent_notification WHERE id = %s FOR UPDATE", [locked])

        found = await revive(engine, [locked, other])

    assert found == Revived({other: Status.PENDING}, set(), {locked})


async def test_notifications_are_retracted_as_their_producer_would(engine: Engine, db: Db) -> None:
    """At once, or when an open outcome is known; a missing id has no effect."""
    made = {status: a_notification(db, status=status) for status in Status}
    sending = a_notification(db, status=Status.PROCESSING)
    written(db, sending, send_until=soon())
    before = row(db, made[Status.DEAD])

    found = await retract(engine, [*made.values(), sending, sending + 1], "wrong text")

    at_once = (Status.PENDING, Status.PROCESSING, Status.FAILED)
    assert found == Retracted(
        {made[status]: Status.RETRACTED for status in at_once}
        | {made[Status.SENT]: Status.SENT, sending: Status.PROCESSING},
        unfit={made[status]: status for status in (Status.DEAD, Status.RETRACTED)},
    )
    assert row(db, made[Status.DEAD]) == before
    for id_ in (made[Status.FAILED], made[Status.SENT], sending):
        assert row(db, id_)["retraction_reason"] == "wrong text"
        assert row(db, id_)["retract_requested_at"] is not None


async def test_a_notification_that_has_moved_on_is_not_retracted(
    engine: Engine, db: Db, database: str
) -> None:
    """It was chosen as PENDING, and was sent since; another is locked."""
    sent, pending, locked = (
        a_notification(db, status=status) for status in (Status.SENT, Status.PENDING, Status.PENDING)
    )
    with open_db(database) as holder, holder.transaction():
        holder.execute("SELECT FROM notify.ent_notification WHERE id = %s FOR UPDATE", [locked])

        found = await retract(engine, [sent, pending, locked], "why", states=[Status.PENDING])

    assert found == Retracted({pending: Status.RETRACTED}, {locked}, {sent: Status.SENT})
    assert row(db, sent)["retract_requested_at"] is None
