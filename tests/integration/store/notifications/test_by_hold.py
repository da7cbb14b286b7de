"""The arrows whose right is a hold: how a send ended."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.support.held import held as in_hand
from tests.support.held import verdict
from tests.support.rows import Db, a_notification, attempt_of, back_dated, row, written
from xnovu_poller.lifecycle import Attempt, ErrorDetails, Hold, Status
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications import by_hold
from xnovu_poller.store.notifications.claim import Cursor, Terms, claim
from xnovu_poller.store.notifications.due import FAILED, NEW
from xnovu_poller.store.notifications.hold import hold
from xnovu_poller.store.notifications.verdict import Ending, Verdict

ERROR = ErrorDetails("novu_rejected", "Novu: rejects it")
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)

Record = Callable[[Engine, Hold], Awaitable[dict[int, Status]]]


async def record_failed(engine: Engine, right: Hold) -> dict[int, Status]:
    """Record a failure that is not the last."""
    failure = verdict(right, Ending.FAILED, ERROR, wait=MINUTE)
    return await by_hold.record_failed(engine, [failure], max_failures=8)


RECORDS: dict[str, tuple[Record, Status]] = {
    "sent": (
        lambda engine, right: by_hold.record_sent(engine, [verdict(right, Ending.SENT)]),
        Status.SENT,
    ),
    "failed": (record_failed, Status.FAILED),
    "dead": (
        lambda engine, right: by_hold.record_dead(engine, [verdict(right, Ending.DEAD, ERROR)]),
        Status.DEAD,
    ),
    "unknown": (
        lambda engine, right: by_hold.record_unknown(engine, [verdict(right, Ending.UNKNOWN, ERROR)]),
        Status.PROCESSING,
    ),
    "cleared": (
        lambda engine, right: by_hold.clear_hold(engine, [verdict(right, Ending.UNFINISHED)]),
        Status.PROCESSING,
    ),
    "released": (
        lambda engine, right: by_hold.release_held(engine, [verdict(right, Ending.RELEASED, refused=True)]),
        Status.PENDING,
    ),
    "retracted": (
        lambda engine, right: by_hold.record_retracted(engine, [verdict(right, Ending.RETRACTED)]),
        Status.RETRACTED,
    ),
}
"""Each arrow of the executors, and the state that it writes."""

EACH = pytest.mark.parametrize(("record", "state"), RECORDS.values(), ids=RECORDS.keys())
EACH_RECORD = pytest.mark.parametrize(
    "record", [record for record, _ in RECORDS.values()], ids=RECORDS.keys()
)


async def held(engine: Engine, attempt: Attempt) -> Hold:
    """Hold a notification."""
    found = await hold(engine, [attempt], deadline=timedelta(seconds=10), with_lapsed=True)
    [held_row] = found.held
    return held_row.hold


async def sent(engine: Engine, *rights: Hold) -> dict[int, Status]:
    """Record that Novu accepted notifications."""
    return await by_hold.record_sent(engine, [verdict(right, Ending.SENT) for right in rights])


async def a_held(engine: Engine, db: Db) -> Hold:
    """Insert a notification that is being sent."""
    return await held(engine, attempt_of(db, a_notification(db, status=Status.PROCESSING)))


@EACH
async def test_a_record_clears_the_send(engine: Engine, db: Db, record: Record, state: Status) -> None:
    """After each outcome no send is live, only PROCESSING keeps a lease, and the caller gets the state."""
    right = await a_held(engine, db)

    assert await record(engine, right) == {right.notification_id: state}

    kept = row(db, right.notification_id)
    assert kept["notification_status"] == state
    assert kept["send_until"] is None
    assert (kept["lease_expires_at"] is None) == (kept["notification_status"] != "PROCESSING")


@EACH_RECORD
async def test_a_record_of_another_attempt_is_late(engine: Engine, db: Db, record: Record) -> None:
    """Its row was rescued meanwhile and does not change."""
    right = await a_held(engine, db)
    before = row(db, right.notification_id)

    for attempt in (0, 2):
        assert await record(engine, replace(right, attempt=right.attempt._replace(number=attempt))) == {}

    assert row(db, right.notification_id) == before


@EACH_RECORD
async def test_a_twin_whose_hold_lapsed_is_late(engine: Engine, db: Db, record: Record) -> None:
    """The other twin holds the row now: the stalled twin of the same attempt changes nothing."""
    stalled = await a_held(engine, db)
    back_dated(db, stalled.notification_id, HOUR, "send_until")
    present = await held(engine, attempt_of(db, stalled.notification_id))
    before = row(db, stalled.notification_id)

    assert await record(engine, stalled) == {}

    assert row(db, stalled.notification_id) == before
    assert await sent(engine, present) == {present.notification_id: Status.SENT}


@EACH_RECORD
async def test_a_record_is_made_once(engine: Engine, db: Db, record: Record) -> None:
    """A repeat is late, for example after an answer that was lost on the way."""
    right = await a_held(engine, db)
    await record(engine, right)
    before = row(db, right.notification_id)

    for repeat, _ in RECORDS.values():
        assert await repeat(engine, right) == {}

    assert row(db, right.notification_id) == before


async def test_a_late_row_does_not_affect_its_batch(engine: Engine, db: Db) -> None:
    """The other rows of the batch are recorded."""
    late, sound = await a_held(engine, db), await a_held(engine, db)

    states = await sent(engine, replace(late, attempt=late.attempt._replace(number=7)), sound)

    assert states == {sound.notification_id: Status.SENT}


async def test_sent_is_the_end(engine: Engine, db: Db) -> None:
    """PROCESSING becomes SENT, and former errors are cleared."""
    right = await a_held(engine, db)
    written(db, right.notification_id, error_details={"code": "old"})

    await sent(engine, right)

    kept = row(db, right.notification_id)
    assert (kept["notification_status"], kept["error_details"]) == ("SENT", None)
    assert kept["processed_at"] is not None


async def test_each_failure_has_its_own_error_and_counts(engine: Engine, db: Db) -> None:
    """One statement for all, but each row has its own error, wait and counts."""
    counted, outage, doubtful = [await a_held(engine, db) for _ in range(3)]
    unanswered = ErrorDetails("novu_unanswered", "Novu: outcome unknown")
    failures = [
        verdict(counted, Ending.FAILED, ERROR, wait=MINUTE, refused=True),
        verdict(outage, Ending.FAILED, unanswered, wait=HOUR, counted=False, unknown=True),
        verdict(doubtful, Ending.FAILED, ERROR, unknown=True),
    ]

    await by_hold.record_failed(engine, failures, max_failures=8)

    kept = [row(db, right.notification_id) for right in (counted, outage, doubtful)]
    assert [found["notification_status"] for found in kept] == ["FAILED"] * 3
    assert [found["failure_count"] for found in kept] == [1, 0, 1]
    assert [found["unknown_outcomes"] for found in kept] == [0, 1, 1]
    assert [found["refusals"] for found in kept] == [1, 0, 0]
    assert [found["error_details"] for found in kept] == [
        error.to_json() for error in (ERROR, unanswered, ERROR)
    ]
    assert kept[0]["next_attempt_at"] - kept[0]["updated_at"] <= MINUTE
    assert kept[1]["next_attempt_at"] - kept[1]["updated_at"] > MINUTE
    assert [found["processed_at"] for found in kept] == [None] * 3


async def test_the_last_failure_ends_dead(engine: Engine, db: Db) -> None:
    """A row ends after `max_failures` counted failures; failures of an outage do not count."""
    last, outage = await a_held(engine, db), await a_held(engine, db)
    for right in (last, outage):
        written(db, right.notification_id, failure_count=7)
    failures = [
        verdict(last, Ending.FAILED, ERROR, wait=MINUTE),
        verdict(outage, Ending.FAILED, ERROR, wait=MINUTE, counted=False),
    ]

    states = await by_hold.record_failed(engine, failures, max_failures=8)

    assert states == {last.notification_id: Status.DEAD, outage.notification_id: Status.FAILED}

    assert row(db, last.notification_id)["notification_status"] == "DEAD"
    assert row(db, last.notification_id)["failure_count"] == 8
    assert row(db, last.notification_id)["processed_at"] is not None
    assert row(db, outage.notification_id)["notification_status"] == "FAILED"


async def test_a_dead_row_keeps_its_error(engine: Engine, db: Db) -> None:
    """PROCESSING becomes DEAD, each with its error; a definite answer changes the next idempotency key."""
    rejected, unfit = await a_held(engine, db), await a_held(engine, db)

    invalid = ErrorDetails("validation_error", "payload: $.a")
    await by_hold.record_dead(
        engine,
        [verdict(rejected, Ending.DEAD, ERROR, refused=True), verdict(unfit, Ending.DEAD, invalid)],
    )

    first, second = row(db, rejected.notification_id), row(db, unfit.notification_id)
    assert (first["notification_status"], first["refusals"], first["error_details"]) == (
        "DEAD",
        1,
        ERROR.to_json(),
    )
    assert (second["refusals"], second["error_details"]["code"]) == (0, "validation_error")


async def test_after_an_unknown_outcome_the_same_attempt_may_hold_again(engine: Engine, db: Db) -> None:
    """The row stays PROCESSING, and counts the unknown outcome."""
    right = await a_held(engine, db)

    await by_hold.record_unknown(engine, [verdict(right, Ending.UNKNOWN, ERROR)])

    kept = row(db, right.notification_id)
    assert (kept["unknown_outcomes"], kept["lapses"], kept["error_details"]) == (1, 0, ERROR.to_json())
    assert (await held(engine, attempt_of(db, right.notification_id))).attempt == right.attempt
    assert row(db, right.notification_id)["lapses"] == 0


async def test_a_cleared_hold_counts_nothing(engine: Engine, db: Db) -> None:
    """The row stays PROCESSING, and the next try may hold at once."""
    right = await a_held(engine, db)

    await by_hold.clear_hold(engine, [verdict(right, Ending.UNFINISHED)])

    kept = row(db, right.notification_id)
    assert (kept["unknown_outcomes"], kept["lapses"], kept["failure_count"]) == (0, 0, 0)


@pytest.mark.parametrize("refused", [True, False])
async def test_a_release_of_a_held_row_returns_it_to_its_former_state(
    engine: Engine, db: Db, *, refused: bool
) -> None:
    """Novu could not serve: nothing is counted except its definite answer."""
    terms = Terms(prefix="abc", batch=10, group_size=1, max_in_flight=10, lease=timedelta(seconds=30))
    a_notification(db)
    a_notification(db, status=Status.FAILED)
    for due, status in ((NEW, "PENDING"), (FAILED, "FAILED")):
        [claimed], _ = await claim(engine, due, terms, Cursor())
        right = await held(engine, claimed.attempt)
        failures = row(db, right.notification_id)["failure_count"]

        states = await by_hold.release_held(engine, [verdict(right, Ending.RELEASED, refused=refused)])

        kept = row(db, right.notification_id)
        assert states == {right.notification_id: status}
        assert kept["notification_status"] == status
        assert (kept["refusals"], kept["failure_count"]) == (int(refused), failures)


@pytest.mark.parametrize(("certain", "details"), [(True, None), (False, {"delivery": "unknown"})])
async def test_a_retracted_row_shows_whether_the_delivery_is_unknown(
    engine: Engine, db: Db, *, certain: bool, details: object
) -> None:
    """Without the mark nothing was accepted; the producer's own reason stays."""
    plain, reasoned = await a_held(engine, db), await a_held(engine, db)
    written(db, reasoned.notification_id, retraction_reason="order cancelled", error_details={"code": "old"})

    expired = [
        Verdict(Ending.RETRACTED, in_hand(hold=right, expired=True), unknown=not certain)
        for right in (plain, reasoned)
    ]
    await by_hold.record_retracted(engine, expired)

    kept = [row(db, right.notification_id) for right in (plain, reasoned)]
    assert [found["notification_status"] for found in kept] == ["RETRACTED"] * 2
    assert [found["retraction_reason"] for found in kept] == ["expired", "order cancelled"]
    assert [found["error_details"] for found in kept] == [details] * 2


async def test_each_row_of_a_batch_has_its_own_release_and_reason(engine: Engine, db: Db) -> None:
    """One statement records them all, although Novu answered each differently."""
    first, second, third, fourth = [await a_held(engine, db) for _ in range(4)]

    await by_hold.release_held(
        engine,
        [verdict(first, Ending.RELEASED, refused=True), verdict(second, Ending.RELEASED, unknown=True)],
    )
    await by_hold.record_retracted(
        engine,
        [
            Verdict(Ending.RETRACTED, in_hand(hold=third, withdrawn=True), unknown=True),
            Verdict(Ending.RETRACTED, in_hand(hold=fourth, expired=True)),
        ],
    )

    released = [row(db, right.notification_id) for right in (first, second)]
    assert [(found["refusals"], found["unknown_outcomes"]) for found in released] == [(1, 0), (0, 1)]
    retracted = [row(db, right.notification_id) for right in (third, fourth)]
    assert [found["retraction_reason"] for found in retracted] == ["retracted", "expired"]
    assert [found["error_details"] for found in retracted] == [{"delivery": "unknown"}, None]


async def test_a_row_withdrawn_meanwhile_is_retracted_and_not_dead(engine: Engine, db: Db) -> None:
    """If Novu may have accepted something, it is DEAD, and its row has the reason."""
    plain, doubtful = await a_held(engine, db), await a_held(engine, db)
    for right in (plain, doubtful):
        written(db, right.notification_id, retract_requested_at="2026-01-01T00:00Z")
    written(db, doubtful.notification_id, unknown_outcomes=1)

    states = await by_hold.record_dead(
        engine, [verdict(right, Ending.DEAD, ERROR) for right in (plain, doubtful)]
    )

    assert states == {plain.notification_id: Status.RETRACTED, doubtful.notification_id: Status.DEAD}
    kept = [row(db, right.notification_id) for right in (plain, doubtful)]
    assert [found["error_details"] for found in kept] == [None, ERROR.to_json()]
    assert [found["retracted_at"] is None for found in kept] == [False, True]


async def test_a_row_withdrawn_meanwhile_does_not_end_dead_by_its_last_failure(
    engine: Engine, db: Db
) -> None:
    """Its next attempt comes at once and asks Novu to cancel. If the sender knew of the withdrawal, the row ends."""
    new, known = await a_held(engine, db), await a_held(engine, db)
    for right in (new, known):
        written(db, right.notification_id, retract_requested_at="2026-01-01T00:00Z")
    failures = [
        verdict(new, Ending.FAILED, ERROR, wait=HOUR),
        Verdict(Ending.FAILED, in_hand(hold=known, withdrawn=True), ERROR, wait=HOUR),
    ]

    states = await by_hold.record_failed(engine, failures, max_failures=1)

    assert states == {new.notification_id: Status.FAILED, known.notification_id: Status.DEAD}
    kept = row(db, new.notification_id)
    assert kept["next_attempt_at"] <= kept["updated_at"]
