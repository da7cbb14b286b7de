"""The arrows of a notification in several calls: cut it once, and write each answer at once."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, Literal

import pytest

from tests.support.held import verdict
from tests.support.rows import Db, a_notification, attempt_of, back_dated, row
from xnovu_poller.lifecycle import ErrorDetails, Hold, Status
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications import by_chunk, by_hold
from xnovu_poller.store.notifications.by_chunk import Chunk
from xnovu_poller.store.notifications.hold import hold
from xnovu_poller.store.notifications.verdict import Ending

SECONDS = timedelta(seconds=10)
ERROR = ErrorDetails("novu_rejected", "Novu: rejects it")
SLICES = [["a", 'b"\\{}'], ["c"]]


async def a_held(engine: Engine, db: Db) -> Hold:
    """Make a notification that is being sent."""
    made = a_notification(db, status=Status.PROCESSING, recipients=["a", 'b"\\{}', "c"])
    return await held(engine, db, made)


async def held(engine: Engine, db: Db, notification_id: int) -> Hold:
    """Hold one notification."""
    asked = [attempt_of(db, notification_id)]
    found = await hold(engine, asked, deadline=SECONDS, lease=SECONDS, with_lapsed=True)
    return found.held[0].hold


async def answered(
    engine: Engine,
    right: Hold,
    chunk: Chunk,
    outcome: Literal["accepted", "refused", "unknown"] | None = "accepted",
    *,
    refused: bool = False,
) -> Hold | None:
    """Write an answer, without a fault where it was accepted."""
    fault = None if outcome == "accepted" else ERROR
    return await by_chunk.record_chunk_answer(
        engine, right, chunk, outcome=outcome, error=fault, refused=refused, deadline=SECONDS
    )


def deliveries(db: Db) -> list[dict[str, Any]]:
    """Read all delivery rows."""
    return db.execute("SELECT * FROM notify.ent_notification_delivery ORDER BY chunk").fetchall()


async def test_a_cut_makes_a_row_for_each_chunk(engine: Engine, db: Db) -> None:
    """Numbered from 1, each with its own transaction id, recipients as they were."""
    right = await a_held(engine, db)
    name = row(db, right.notification_id)["transaction_id"]

    chunks = await by_chunk.create_chunks(engine, right, SLICES)

    assert chunks == [Chunk(1, SLICES[0], f"{name}-1", 0, None), Chunk(2, SLICES[1], f"{name}-2", 0, None)]
    assert [one["enterprise_id"] for one in deliveries(db)] == ["acme", "acme"]


async def test_a_second_cut_finds_what_was_reached(engine: Engine, db: Db) -> None:
    """The next attempt goes on with what is left."""
    right = await a_held(engine, db)
    [first, _] = await by_chunk.create_chunks(engine, right, SLICES)
    again = await answered(engine, right, first)
    assert again is not None

    chunks = await by_chunk.create_chunks(engine, again, SLICES)

    assert [chunk.outcome for chunk in chunks] == ["accepted", None]


async def test_a_late_cut_makes_none(engine: Engine, db: Db) -> None:
    """Neither by attempt nor by a hold that lapsed and was taken over."""
    right = await a_held(engine, db)
    back_dated(db, right.notification_id, timedelta(hours=1), "send_until")
    await held(engine, db, right.notification_id)

    assert await by_chunk.create_chunks(engine, right, SLICES) == []
    assert (
        await by_chunk.create_chunks(engine, replace(right, attempt=right.attempt._replace(number=9)), SLICES)
        == []
    )
    assert deliveries(db) == []


async def test_a_late_caller_is_told_of_no_chunk(engine: Engine, db: Db) -> None:
    """Or it would send what its twin is sending."""
    stalled = await a_held(engine, db)
    await by_chunk.create_chunks(engine, stalled, SLICES)
    back_dated(db, stalled.notification_id, timedelta(hours=1), "send_until")
    present = await held(engine, db, stalled.notification_id)

    assert await by_chunk.create_chunks(engine, stalled, SLICES) == []
    assert len(await by_chunk.create_chunks(engine, present, SLICES)) == 2


async def test_an_answer_is_written_and_the_hold_goes_on(engine: Engine, db: Db) -> None:
    """The new hold is the right to the next chunk, the old one is spent."""
    right = await a_held(engine, db)
    [first, second] = await by_chunk.create_chunks(engine, right, SLICES)

    new = await answered(engine, right, first)

    assert new is not None
    assert new.until > right.until
    kept = row(db, right.notification_id)
    assert kept["send_until"] == new.until
    assert kept["lease_expires_at"] >= new.until
    assert await answered(engine, right, second) is None
    assert [one["outcome"] for one in deliveries(db)] == ["accepted", None]
    assert deliveries(db)[0]["answered_at"] is not None
    assert await by_hold.record_sent(engine, [verdict(right, Ending.SENT)]) == {}
    assert await by_hold.record_sent(engine, [verdict(new, Ending.SENT)]) == {
        right.notification_id: Status.SENT
    }


@pytest.mark.parametrize(
    ("outcome", "refused"), [("refused", True), ("unknown", False), ("unknown", True), (None, True)]
)
async def test_an_answer_that_was_no_acceptance_says_why(
    engine: Engine, db: Db, outcome: Literal["refused", "unknown"] | None, *, refused: bool
) -> None:
    """The chunk keeps its own count of refusals; the notification's stays."""
    right = await a_held(engine, db)
    [first, _] = await by_chunk.create_chunks(engine, right, SLICES)

    await answered(engine, right, first, outcome, refused=refused)

    [kept, other] = deliveries(db)
    assert (kept["outcome"], kept["refusals"], kept["error_details"]) == (
        outcome,
        int(refused),
        ERROR.to_json(),
    )
    assert (other["outcome"], other["refusals"], other["error_details"]) == (None, 0, None)
    assert row(db, right.notification_id)["refusals"] == 0


async def test_an_answer_clears_a_former_fault(engine: Engine, db: Db) -> None:
    """Accepted at last."""
    right = await a_held(engine, db)
    [first, _] = await by_chunk.create_chunks(engine, right, SLICES)
    new = await answered(engine, right, first, None, refused=True)
    assert new is not None

    await answered(engine, new, first)

    [kept, _] = deliveries(db)
    assert (kept["outcome"], kept["refusals"], kept["error_details"]) == ("accepted", 1, None)


async def test_a_late_answer_changes_nothing(engine: Engine, db: Db) -> None:
    """The twin that holds the row now will send the chunk again, under the same transaction id."""
    stalled = await a_held(engine, db)
    [first, _] = await by_chunk.create_chunks(engine, stalled, SLICES)
    back_dated(db, stalled.notification_id, timedelta(hours=1), "send_until")
    present = await held(engine, db, stalled.notification_id)
    before = deliveries(db), row(db, stalled.notification_id)

    assert await answered(engine, stalled, first, "unknown") is None
    assert await answered(engine, replace(present, attempt=present.attempt._replace(number=9)), first) is None

    assert (deliveries(db), row(db, stalled.notification_id)) == before


async def test_an_answer_to_no_chunk_still_holds_on(engine: Engine, db: Db) -> None:
    """A chunk that is not there cannot be told; the right is not lost by it."""
    right = await a_held(engine, db)
    stranger = Chunk(9, ["x"], "xn-9", 0, None)

    assert await answered(engine, right, stranger) is not None
    assert deliveries(db) == []


async def test_a_chunk_holds_a_hundred_at_most(engine: Engine, db: Db) -> None:
    """The database itself refuses what Novu would."""
    right = await a_held(engine, db)

    with pytest.raises(Exception, match="ent_notification_delivery_recipients_check"):
        await by_chunk.create_chunks(engine, right, [[f"subscriber-{i}" for i in range(101)]])
