"""The arrows of a notification in several calls: create its chunks once, and record each answer at once."""

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
SLICES = [("-1", ["a", 'b"\\{}']), ("-push", ["c"])]


async def a_held(engine: Engine, db: Db) -> Hold:
    """Insert a notification that is being sent."""
    made = a_notification(db, status=Status.PROCESSING, recipients=["a", 'b"\\{}', "c"])
    return await held(engine, db, made)


async def held(engine: Engine, db: Db, notification_id: int) -> Hold:
    """Hold a notification."""
    attempts = [attempt_of(db, notification_id)]
    found = await hold(engine, attempts, deadline=SECONDS, with_lapsed=True)
    return found.held[0].hold


async def record_answer(
    engine: Engine,
    right: Hold,
    chunk: Chunk,
    outcome: Literal["accepted", "refused", "unknown"] | None = "accepted",
    *,
    refused: bool = False,
) -> Hold | None:
    """Record an answer, with an error unless it was an acceptance."""
    error = None if outcome == "accepted" else ERROR
    return await by_chunk.record_chunk_answer(
        engine, right, chunk, outcome=outcome, error=error, refused=refused, deadline=SECONDS
    )


def deliveries(db: Db) -> list[dict[str, Any]]:
    """Read all delivery rows."""
    return db.execute("SELECT * FROM notify.ent_notification_delivery ORDER BY chunk").fetchall()


async def test_each_chunk_gets_a_row(engine: Engine, db: Db) -> None:
    """Chunks are numbered from 1, with transaction ids of their own and the recipients unchanged."""
    right = await a_held(engine, db)
    name = row(db, right.notification_id)["transaction_id"]

    chunks = await by_chunk.create_chunks(engine, right, SLICES)

    assert chunks == [
        Chunk(1, SLICES[0][1], f"{name}-1", 0, None),
        Chunk(2, SLICES[1][1], f"{name}-push", 0, None),
    ]
    assert [chunk.is_push for chunk in chunks] == [False, True]
    assert [found["enterprise_id"] for found in deliveries(db)] == ["acme", "acme"]


async def test_a_second_call_finds_the_chunks_and_their_outcomes(engine: Engine, db: Db) -> None:
    """So the next attempt sends only the rest."""
    right = await a_held(engine, db)
    [first, _] = await by_chunk.create_chunks(engine, right, SLICES)
    renewed = await record_answer(engine, right, first)
    assert renewed is not None

    chunks = await by_chunk.create_chunks(engine, renewed, SLICES)

    assert [chunk.outcome for chunk in chunks] == ["accepted", None]


async def test_a_late_caller_creates_no_chunk(engine: Engine, db: Db) -> None:
    """Neither another attempt nor a lapsed hold is a right to create them."""
    right = await a_held(engine, db)
    back_dated(db, right.notification_id, timedelta(hours=1), "send_until")
    await held(engine, db, right.notification_id)

    assert await by_chunk.create_chunks(engine, right, SLICES) == []
    assert (
        await by_chunk.create_chunks(engine, replace(right, attempt=right.attempt._replace(number=9)), SLICES)
        == []
    )
    assert deliveries(db) == []


async def test_a_late_caller_gets_no_chunk(engine: Engine, db: Db) -> None:
    """Otherwise it would send the chunks that its twin is sending."""
    stalled = await a_held(engine, db)
    await by_chunk.create_chunks(engine, stalled, SLICES)
    back_dated(db, stalled.notification_id, timedelta(hours=1), "send_until")
    present = await held(engine, db, stalled.notification_id)

    assert await by_chunk.create_chunks(engine, stalled, SLICES) == []
    assert len(await by_chunk.create_chunks(engine, present, SLICES)) == 2


async def test_an_answer_is_recorded_and_the_hold_is_renewed(engine: Engine, db: Db) -> None:
    """The new hold is the right to the next chunk; the former hold is void."""
    right = await a_held(engine, db)
    [first, second] = await by_chunk.create_chunks(engine, right, SLICES)

    renewed = await record_answer(engine, right, first)

    assert renewed is not None
    assert renewed.until > right.until
    kept = row(db, right.notification_id)
    assert kept["send_until"] == renewed.until
    assert await record_answer(engine, right, second) is None
    assert [found["outcome"] for found in deliveries(db)] == ["accepted", None]
    assert deliveries(db)[0]["answered_at"] is not None
    assert await by_hold.record_sent(engine, [verdict(right, Ending.SENT)]) == {}
    assert await by_hold.record_sent(engine, [verdict(renewed, Ending.SENT)]) == {
        right.notification_id: Status.SENT
    }


@pytest.mark.parametrize(
    ("outcome", "refused"), [("refused", True), ("unknown", False), ("unknown", True), (None, True)]
)
async def test_an_answer_other_than_an_acceptance_keeps_its_error(
    engine: Engine, db: Db, outcome: Literal["refused", "unknown"] | None, *, refused: bool
) -> None:
    """The chunk has its own count of refusals; the notification's does not change."""
    right = await a_held(engine, db)
    [first, _] = await by_chunk.create_chunks(engine, right, SLICES)

    await record_answer(engine, right, first, outcome, refused=refused)

    [kept, other] = deliveries(db)
    assert (kept["outcome"], kept["refusals"], kept["error_details"]) == (
        outcome,
        int(refused),
        ERROR.to_json(),
    )
    assert (other["outcome"], other["refusals"], other["error_details"]) == (None, 0, None)
    assert row(db, right.notification_id)["refusals"] == 0


async def test_an_acceptance_clears_a_former_error(engine: Engine, db: Db) -> None:
    """The count of refusals stays, because the idempotency key depends on it."""
    right = await a_held(engine, db)
    [first, _] = await by_chunk.create_chunks(engine, right, SLICES)
    renewed = await record_answer(engine, right, first, None, refused=True)
    assert renewed is not None

    await record_answer(engine, renewed, first)

    [kept, _] = deliveries(db)
    assert (kept["outcome"], kept["refusals"], kept["error_details"]) == ("accepted", 1, None)


async def test_a_late_answer_changes_nothing(engine: Engine, db: Db) -> None:
    """The twin that now holds the row will send the chunk again, under the same transaction id."""
    stalled = await a_held(engine, db)
    [first, _] = await by_chunk.create_chunks(engine, stalled, SLICES)
    back_dated(db, stalled.notification_id, timedelta(hours=1), "send_until")
    present = await held(engine, db, stalled.notification_id)
    before = deliveries(db), row(db, stalled.notification_id)

    assert await record_answer(engine, stalled, first, "unknown") is None
    assert (
        await record_answer(engine, replace(present, attempt=present.attempt._replace(number=9)), first)
        is None
    )

    assert (deliveries(db), row(db, stalled.notification_id)) == before


async def test_an_answer_to_an_unknown_chunk_still_renews_the_hold(engine: Engine, db: Db) -> None:
    """There is no row to record it in, but the caller does not lose its right."""
    right = await a_held(engine, db)
    unknown = Chunk(9, ["x"], "xn-9", 0, None)

    assert await record_answer(engine, right, unknown) is not None
    assert deliveries(db) == []


async def test_a_chunk_has_at_most_a_hundred_recipients(engine: Engine, db: Db) -> None:
    """The database refuses a chunk that Novu would refuse."""
    right = await a_held(engine, db)

    with pytest.raises(Exception, match="ent_notification_delivery_recipients_check"):
        await by_chunk.create_chunks(engine, right, [("", [f"subscriber-{i}" for i in range(101)])])
