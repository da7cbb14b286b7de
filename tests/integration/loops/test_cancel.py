"""Notifications withdrawn after they were sent: Novu is asked to cancel them, and the row keeps its answer."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.support.novu import NovuStandIn
from tests.support.rows import Db, a_notification, back_dated, open_db, row
from xnovu_poller.backpressure.gate import Gate
from xnovu_poller.errors import NovuThrottled
from xnovu_poller.lifecycle import Origin, Refused, Status
from xnovu_poller.loops.cancel import CANCEL_BATCH, Canceller
from xnovu_poller.novu import Event, Novu
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.identity import new_deployment
from xnovu_poller.store.notifications import by_claim

INTERVAL = timedelta(seconds=10)
CALL = timedelta(seconds=5)
CHUNK = """
INSERT INTO notify.ent_notification_delivery (notification_id, chunk, enterprise_id, recipients, transaction_id, outcome)
SELECT id, %s, enterprise_id, '{s}', transaction_id || '-' || %s::int, 'accepted' FROM notify.ent_notification
WHERE id = %s"""


@pytest.fixture
def gate() -> Gate:
    """An open gate."""
    return Gate()


@pytest.fixture
async def novu(novu_standin: NovuStandIn, gate: Gate) -> AsyncIterator[Novu]:
    """A client of the stand-in, which delays the workflow `delayed`."""
    novu_standin.workflow("delayed", delayed=True)
    client = Novu(novu_standin.url, "key-1", CALL, gate)
    yield client
    await client.aclose()


@pytest.fixture
def cancel(engine: Engine, gate: Gate, novu: Novu) -> Canceller:
    """The loop under test."""
    return Canceller(engine, gate, novu, interval=INTERVAL)


def insert_withdrawn(db: Db, enterprise: str = "acme") -> int:
    """Insert a notification that was sent and then withdrawn."""
    made = a_notification(db, status=Status.SENT, enterprise=enterprise)
    db.execute("SELECT notify.retract(%s)", [made])
    return made


async def trigger_delayed(novu: Novu, transaction_id: str) -> None:
    """Trigger a notification whose steps Novu still delays."""
    sender = Origin("acme", "delayed", transaction_id)
    await novu.trigger(Event("delayed", ("s",), b"{}", None, transaction_id, 0, sender))


async def test_a_notification_that_novu_still_delays_is_cancelled(
    cancel: Canceller, novu: Novu, db: Db, novu_standin: NovuStandIn
) -> None:
    """It is never delivered; the row stays SENT, because Novu accepted it."""
    made = insert_withdrawn(db)
    await trigger_delayed(novu, row(db, made)["transaction_id"])

    assert await cancel.turn() == INTERVAL

    kept = row(db, made)
    assert (kept["notification_status"], kept["error_details"]) == ("SENT", {"cancel": "cancelled"})
    assert novu_standin.deliver() == 0


async def test_a_delivered_notification_cannot_be_cancelled(
    cancel: Canceller, db: Db, novu_standin: NovuStandIn
) -> None:
    """Novu answers that nothing is left, and is not asked again."""
    made = insert_withdrawn(db)

    for _ in range(2):
        await cancel.turn()

    assert row(db, made)["error_details"] == {"cancel": "nothing_left"}
    assert novu_standin.stats()["calls"] == 1


async def test_each_chunk_is_cancelled(
    cancel: Canceller, novu: Novu, db: Db, novu_standin: NovuStandIn
) -> None:
    """If anything could still be stopped, the answer for the whole notification is `cancelled`."""
    made = insert_withdrawn(db)
    for number in (1, 2):
        db.execute(CHUNK, [number, number, made])
    await trigger_delayed(novu, f"{row(db, made)['transaction_id']}-2")

    await cancel.turn()

    assert row(db, made)["error_details"] == {"cancel": "cancelled"}
    assert novu_standin.deliver() == 0


async def test_while_novu_cannot_serve_it_is_asked_again(
    cancel: Canceller, db: Db, novu_standin: NovuStandIn
) -> None:
    """But not for ever: after an hour the row records why there is no answer."""
    made = insert_withdrawn(db)
    novu_standin.fault("status", status=503, times=2, match="all")

    assert await cancel.turn() == INTERVAL
    assert row(db, made)["error_details"] is None

    back_dated(db, made, timedelta(hours=2), "retract_requested_at")
    await cancel.turn()
    assert row(db, made)["error_details"] == {"cancel": "novu_unavailable"}


async def test_a_closed_gate_stops_cancellations(
    cancel: Canceller, gate: Gate, db: Db, novu_standin: NovuStandIn
) -> None:
    """The pause that Novu asked for applies to every call."""
    insert_withdrawn(db)
    gate.observe(Origin("acme", "delayed", "xn-1"), Refused(NovuThrottled(timedelta(minutes=9))))

    assert await cancel.turn() == INTERVAL
    assert novu_standin.stats()["calls"] == 0


async def test_a_full_batch_is_followed_by_the_next(cancel: Canceller, db: Db) -> None:
    """Without a pause between them."""
    for _ in range(CANCEL_BATCH + 1):
        insert_withdrawn(db)

    assert await cancel.turn() == timedelta(0)
    assert await cancel.turn() == INTERVAL
    left = db.execute("SELECT FROM notify.ent_notification WHERE error_details IS NULL")
    assert left.rowcount == 0


async def test_a_cancellation_without_an_answer_does_not_block_others(
    cancel: Canceller, db: Db, novu_standin: NovuStandIn
) -> None:
    """The others come in the next turn; after them, Novu is asked again."""
    for _ in range(CANCEL_BATCH + 5):
        insert_withdrawn(db)
    novu_standin.fault("status", status=500, times=CANCEL_BATCH, match="all")

    assert [await cancel.turn() for _ in range(2)] == [timedelta(0), INTERVAL]
    answered = "SELECT FROM notify.ent_notification WHERE error_details IS NOT NULL"
    assert db.execute(answered).rowcount == 5
    assert await cancel.turn() == timedelta(0)
    assert db.execute(answered).rowcount == CANCEL_BATCH + 5


async def test_a_successful_cancellation_wins_in_any_order(engine: Engine, db: Db) -> None:
    """The second of two replicas gets the answer that nothing is left; the first answer is the true one."""
    made = insert_withdrawn(db)

    for answer in ("nothing_left", "cancelled", "nothing_left"):
        await by_claim.record_cancel_answer(engine, {made: answer})

    assert row(db, made)["error_details"] == {"cancel": "cancelled"}


async def test_a_copy_does_not_cancel_notifications_of_the_original(
    engine: Engine, cancel: Canceller, db: Db, novu_standin: NovuStandIn
) -> None:
    """They have the original's transaction ids."""
    made = insert_withdrawn(db)
    await new_deployment(engine)

    await cancel.turn()

    assert row(db, made)["error_details"] is None
    assert novu_standin.stats()["calls"] == 0


async def test_a_stopped_worker_asks_no_more(cancel: Canceller, db: Db, novu_standin: NovuStandIn) -> None:
    """Another replica will ask."""
    insert_withdrawn(db)
    cancel.stop()

    await cancel.turn()

    assert novu_standin.stats()["calls"] == 0


async def test_locked_rows_are_put_off_until_others_have_had_their_turn(
    cancel: Canceller, db: Db, database: str
) -> None:
    """Their answers cannot be recorded now; Novu is asked again later, which changes nothing there."""
    locked = [insert_withdrawn(db) for _ in range(CANCEL_BATCH)]
    other = insert_withdrawn(db)
    with open_db(database) as holder, holder.transaction():
        holder.execute("SELECT FROM notify.ent_notification WHERE id = ANY (%s) FOR UPDATE", [locked])
        assert await cancel.turn() == timedelta(0)
        assert await cancel.turn() == INTERVAL
        assert row(db, other)["error_details"] == {"cancel": "nothing_left"}
    await cancel.turn()

    assert [row(db, each)["error_details"] for each in locked] == [{"cancel": "nothing_left"}] * CANCEL_BATCH
