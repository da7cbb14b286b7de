"""The arrows whose right is a hold: how a send ended."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.support.rows import Db, a_notification, back_dated, row, work, written
from xnovu_poller.lifecycle import Attempt, ErrorDetails, Hold, Status
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications import by_claim, by_hold
from xnovu_poller.store.notifications.by_hold import Failure
from xnovu_poller.store.notifications.due import FAILED, NEW
from xnovu_poller.store.notifications.hold import hold

FAULT = ErrorDetails("novu_rejected", "Novu: rejects it")
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)

Record = Callable[[Engine, Hold], Awaitable[set[int]]]
RECORDS: dict[str, Record] = {
    "sent": lambda engine, right: by_hold.sent(engine, [right]),
    "failed": lambda engine, right: by_hold.failed(engine, [Failure(right, FAULT, MINUTE)], max_failures=8),
    "dead": lambda engine, right: by_hold.dead(engine, [(right, FAULT)]),
    "unknown": lambda engine, right: by_hold.unknown(engine, [(right, FAULT)]),
    "let_go": lambda engine, right: by_hold.let_go(engine, [right]),
    "release_held": lambda engine, right: by_hold.release_held(engine, [right], refused=True),
    "retracted": lambda engine, right: by_hold.retracted(engine, [right], reason="retracted", certain=True),
}


async def held(engine: Engine, asked: Attempt) -> Hold:
    """Hold one notification."""
    found = await hold(
        engine, [asked], deadline=timedelta(seconds=10), lease=timedelta(minutes=5), alone=True
    )
    [one] = found.held
    return one.hold


async def a_held(engine: Engine, db: Db) -> Hold:
    """Make a notification that is being sent."""
    return await held(engine, work(db, a_notification(db, status=Status.PROCESSING)))


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS.keys())
async def test_a_record_clears_the_send(engine: Engine, db: Db, record: Record) -> None:
    """Whatever the outcome, no send is left live, and only PROCESSING keeps a lease."""
    right = await a_held(engine, db)

    assert await record(engine, right) == {right.notification_id}

    kept = row(db, right.notification_id)
    assert kept["send_until"] is None
    assert (kept["lease_expires_at"] is None) == (kept["notification_status"] != "PROCESSING")


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS.keys())
async def test_a_record_of_another_attempt_is_late(engine: Engine, db: Db, record: Record) -> None:
    """Its row was rescued meanwhile; nothing of it changes."""
    right = await a_held(engine, db)
    before = row(db, right.notification_id)

    for attempt in (0, 2):
        assert await record(engine, replace(right, attempt=attempt)) == set()

    assert row(db, right.notification_id) == before


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS.keys())
async def test_a_twin_whose_hold_lapsed_is_late(engine: Engine, db: Db, record: Record) -> None:
    """Same attempt, but the other twin holds the row now: the stalled one changes nothing."""
    stalled = await a_held(engine, db)
    back_dated(db, stalled.notification_id, HOUR, "send_until")
    present = await held(engine, work(db, stalled.notification_id))
    before = row(db, stalled.notification_id)

    assert await record(engine, stalled) == set()

    assert row(db, stalled.notification_id) == before
    assert await by_hold.sent(engine, [present]) == {present.notification_id}


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS.keys())
async def test_a_record_is_made_once(engine: Engine, db: Db, record: Record) -> None:
    """A repeat, after an answer that was lost on the way, is late."""
    right = await a_held(engine, db)
    await record(engine, right)
    before = row(db, right.notification_id)

    for again in RECORDS.values():
        assert await again(engine, right) == set()

    assert row(db, right.notification_id) == before


async def test_a_late_row_takes_none_of_its_batch_along(engine: Engine, db: Db) -> None:
    """The others of the batch are recorded all the same."""
    late, sound = await a_held(engine, db), await a_held(engine, db)

    moved = await by_hold.sent(engine, [replace(late, attempt=7), sound])

    assert moved == {sound.notification_id}


async def test_sent_is_the_end(engine: Engine, db: Db) -> None:
    """PROCESSING → SENT; former faults are no longer told."""
    right = await a_held(engine, db)
    written(db, right.notification_id, error_details={"code": "old"})

    await by_hold.sent(engine, [right])

    kept = row(db, right.notification_id)
    assert (kept["notification_status"], kept["error_details"]) == ("SENT", None)
    assert kept["processed_at"] is not None


async def test_failures_tell_each_its_own(engine: Engine, db: Db) -> None:
    """One batch, and each row has its own fault, wait and counts."""
    counted, outage, doubtful = [await a_held(engine, db) for _ in range(3)]
    failures = [
        Failure(counted, FAULT, MINUTE, refused=True),
        Failure(
            outage,
            ErrorDetails("novu_unanswered", "Novu: outcome unknown"),
            HOUR,
            counted=False,
            unknown=True,
        ),
        Failure(doubtful, FAULT, timedelta(0), unknown=True),
    ]

    await by_hold.failed(engine, failures, max_failures=8)

    kept = [row(db, failure.hold.notification_id) for failure in failures]
    assert [one["notification_status"] for one in kept] == ["FAILED"] * 3
    assert [one["failure_count"] for one in kept] == [1, 0, 1]
    assert [one["unknown_outcomes"] for one in kept] == [0, 1, 1]
    assert [one["refusals"] for one in kept] == [1, 0, 0]
    assert [one["error_details"] for one in kept] == [failure.fault.details() for failure in failures]
    assert kept[0]["next_attempt_at"] - kept[0]["updated_at"] <= MINUTE
    assert kept[1]["next_attempt_at"] - kept[1]["updated_at"] > MINUTE
    assert [one["processed_at"] for one in kept] == [None] * 3


async def test_the_last_failure_is_death(engine: Engine, db: Db) -> None:
    """`max_failures` counted failures are the last; those of an outage never are."""
    last, outage = await a_held(engine, db), await a_held(engine, db)
    for right in (last, outage):
        written(db, right.notification_id, failure_count=7)
    failures = [Failure(last, FAULT, MINUTE), Failure(outage, FAULT, MINUTE, counted=False)]

    await by_hold.failed(engine, failures, max_failures=8)

    assert row(db, last.notification_id)["notification_status"] == "DEAD"
    assert row(db, last.notification_id)["failure_count"] == 8
    assert row(db, last.notification_id)["processed_at"] is not None
    assert row(db, outage.notification_id)["notification_status"] == "FAILED"


async def test_dead_says_why(engine: Engine, db: Db) -> None:
    """PROCESSING → DEAD, each with its fault; a definite answer changes the next idempotency key."""
    rejected, unfit = await a_held(engine, db), await a_held(engine, db)

    await by_hold.dead(engine, [(rejected, FAULT)], refused=True)
    await by_hold.dead(engine, [(unfit, ErrorDetails("validation_error", "payload: $.a"))])

    first, second = row(db, rejected.notification_id), row(db, unfit.notification_id)
    assert (first["notification_status"], first["refusals"], first["error_details"]) == (
        "DEAD",
        1,
        FAULT.details(),
    )
    assert (second["refusals"], second["error_details"]["code"]) == (0, "validation_error")


async def test_unknown_leaves_the_attempt_to_its_next_try(engine: Engine, db: Db) -> None:
    """PROCESSING → PROCESSING: the same attempt may hold again at once, and knows of the doubt."""
    right = await a_held(engine, db)

    await by_hold.unknown(engine, [(right, FAULT)])

    kept = row(db, right.notification_id)
    assert (kept["unknown_outcomes"], kept["lapses"], kept["error_details"]) == (1, 0, FAULT.details())
    assert (await held(engine, work(db, right.notification_id))).attempt == right.attempt
    assert row(db, right.notification_id)["lapses"] == 0


async def test_let_go_counts_nothing(engine: Engine, db: Db) -> None:
    """PROCESSING → PROCESSING: the next try goes on at once."""
    right = await a_held(engine, db)

    await by_hold.let_go(engine, [right])

    kept = row(db, right.notification_id)
    assert (kept["unknown_outcomes"], kept["lapses"], kept["failure_count"]) == (0, 0, 0)


@pytest.mark.parametrize("refused", [True, False])
async def test_a_held_release_goes_back_where_it_came_from(engine: Engine, db: Db, *, refused: bool) -> None:
    """Novu could not serve: nothing is counted but its definite answer."""
    terms = by_claim.Terms(
        prefix="abc", batch=10, group_size=1, max_in_flight=10, lease=timedelta(seconds=30)
    )
    a_notification(db)
    a_notification(db, status=Status.FAILED)
    for due, status in ((NEW, "PENDING"), (FAILED, "FAILED")):
        [claimed], _ = await by_claim.claim(engine, due, terms, by_claim.Cursor())
        right = await held(engine, claimed.work)
        failures = row(db, right.notification_id)["failure_count"]

        await by_hold.release_held(engine, [right], refused=refused)

        kept = row(db, right.notification_id)
        assert kept["notification_status"] == status
        assert (kept["refusals"], kept["failure_count"]) == (int(refused), failures)


@pytest.mark.parametrize(("certain", "details"), [(True, None), (False, {"delivery": "unknown"})])
async def test_retracted_says_whether_it_is_certain(
    engine: Engine, db: Db, *, certain: bool, details: object
) -> None:
    """Without the mark nothing was accepted; the producer's own reason stays."""
    plain, reasoned = await a_held(engine, db), await a_held(engine, db)
    written(db, reasoned.notification_id, retraction_reason="order cancelled", error_details={"code": "old"})

    await by_hold.retracted(engine, [plain, reasoned], reason="expired", certain=certain)

    kept = [row(db, right.notification_id) for right in (plain, reasoned)]
    assert [one["notification_status"] for one in kept] == ["RETRACTED"] * 2
    assert [one["retraction_reason"] for one in kept] == ["expired", "order cancelled"]
    assert [one["error_details"] for one in kept] == [details] * 2


async def test_lose_fails_what_was_not_begun(engine: Engine, db: Db) -> None:
    """The workflow heard no more; nothing was sent, so nothing has lapsed."""
    made = a_notification(db, status=Status.PROCESSING)

    moved = await by_hold.lose(
        engine, [work(db, made)], fault=FAULT, wait=MINUTE, max_failures=8, counted=True, died=True
    )

    kept = row(db, made)
    assert moved == {made}
    assert (kept["notification_status"], kept["failure_count"]) == ("FAILED", 1)
    assert (kept["lapses"], kept["unknown_outcomes"], kept["error_details"]) == (0, 0, FAULT.details())


async def test_lose_counts_a_lapse(engine: Engine, db: Db) -> None:
    """A past send that nobody recorded may have been accepted."""
    right = await a_held(engine, db)
    back_dated(db, right.notification_id, HOUR, "send_until")

    await by_hold.lose(
        engine,
        [work(db, right.notification_id)],
        fault=FAULT,
        wait=MINUTE,
        max_failures=8,
        counted=True,
        died=True,
    )

    kept = row(db, right.notification_id)
    assert (kept["notification_status"], kept["lapses"], kept["unknown_outcomes"]) == ("FAILED", 1, 1)


async def test_lose_leaves_a_live_send_alone(engine: Engine, db: Db) -> None:
    """Whoever sends may still record it."""
    right = await a_held(engine, db)
    asked = [work(db, right.notification_id), Attempt(right.notification_id, 9)]

    assert (
        await by_hold.lose(engine, asked, fault=FAULT, wait=MINUTE, max_failures=8, counted=True, died=True)
        == set()
    )
    assert await by_hold.sent(engine, [right]) == {right.notification_id}


async def test_lose_does_not_hold_an_outage_against_the_row(engine: Engine, db: Db) -> None:
    """Not counted, it is never the last failure either; and its sender lived, but it may have been accepted."""
    made = a_notification(db, status=Status.PROCESSING)
    right = await a_held(engine, db)
    back_dated(db, right.notification_id, HOUR, "send_until")
    works = [work(db, made), work(db, right.notification_id)]

    await by_hold.lose(engine, works, fault=FAULT, wait=MINUTE, max_failures=1, counted=False, died=False)

    kept, sent = row(db, made), row(db, right.notification_id)
    assert {one["notification_status"] for one in (kept, sent)} == {"FAILED"}
    assert {one["failure_count"] for one in (kept, sent)} == {0}
    assert (sent["lapses"], sent["unknown_outcomes"]) == (0, 1)


async def test_lose_gives_nothing_up_that_is_withdrawn(engine: Engine, db: Db) -> None:
    """Novu is still to be asked to cancel it."""
    made = a_notification(db, status=Status.PROCESSING)
    written(db, made, retract_requested_at="2026-01-01T00:00Z")

    await by_hold.lose(
        engine, [work(db, made)], fault=FAULT, wait=MINUTE, max_failures=1, counted=True, died=True
    )

    assert row(db, made)["notification_status"] == "FAILED"


async def test_lose_may_be_the_last_failure(engine: Engine, db: Db) -> None:
    """It counts like any other."""
    made = a_notification(db, status=Status.PROCESSING)

    await by_hold.lose(
        engine, [work(db, made)], fault=FAULT, wait=MINUTE, max_failures=1, counted=True, died=True
    )

    assert row(db, made)["notification_status"] == "DEAD"
    assert row(db, made)["processed_at"] is not None
