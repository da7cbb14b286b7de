"""Counters follow the state that was written, not the verdict."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prometheus_client import Counter

from tests.support.delivering import Delivering, a_claimed, delivering
from tests.support.novu import NovuStandIn
from tests.support.rows import Db, row, soon, written
from tests.support.waiting import eventually
from xnovu_poller import metrics
from xnovu_poller.lifecycle import Attempt, Status
from xnovu_poller.store.engine import Engine

LOST = "lost_contact"
CODES = (LOST, "novu_rejected", "novu_unanswered")
PLAIN: dict[str, Counter] = {
    "sent": metrics.SENT,
    "retracted": metrics.RETRACTED,
    "expired": metrics.EXPIRED,
    "released": metrics.RELEASED,
    "turned away": metrics.TURNED_AWAY,
    "late": metrics.LATE,
}
COUNTERS: dict[str, Any] = PLAIN | {
    f"{name} {code}": counter.labels(code)
    for name, counter in (("dead", metrics.DEAD), ("failed", metrics.FAILED))
    for code in CODES
}


def counted() -> dict[str, float]:
    """Read all counters."""
    return {name: counter._value.get() for name, counter in COUNTERS.items()}


@contextmanager
def counting(**expected: float) -> Iterator[None]:
    """Assert that these counters rise by this much, and no others."""
    before = counted()
    yield
    risen = {name.replace(" ", "_"): value - before[name] for name, value in counted().items()}
    assert {name: value for name, value in risen.items() if value} == expected


def retract(db: Db, attempt: Attempt) -> None:
    """Withdraw a notification as a producer does."""
    db.execute("SELECT notify.retract(%s)", [attempt.notification_id])


async def retracted_in_mid_send(
    executor: Delivering, db: Db, standin: NovuStandIn, attempt: Attempt
) -> list[Status]:
    """Deliver a notification that its producer withdraws during the call to Novu."""
    sending = asyncio.create_task(executor.deliver(attempt))
    await eventually(lambda: standin.stats()["calls"] == 1)
    retract(db, attempt)
    standin.clear_faults()
    return await sending


async def test_a_sent_notification_is_counted_once(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """Two rows of a group count as two."""
    with counting(sent=2):
        assert await executor.deliver(a_claimed(db), a_claimed(db)) == [Status.SENT] * 2


async def test_each_stage_of_a_group_is_observed_once(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """An observation for each notification would cost more than some of the stages."""

    def observed() -> list[float]:
        found = metrics.REGISTRY.get_sample_value
        return [found("xnovu_stage_seconds_count", {"stage": stage}) or 0 for stage in metrics.STAGES]

    before = observed()
    await executor.deliver(a_claimed(db), a_claimed(db))

    assert [after - count for after, count in zip(observed(), before, strict=True)] == [1, 1, 1, 1, 1]


async def test_a_refusal_after_a_withdrawal_counts_as_a_retraction(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """Nothing was delivered and nobody wants it, so the row is RETRACTED and not DEAD."""
    attempt = a_claimed(db)
    novu_standin.switch(workflows_known=False)
    novu_standin.fault("slow", seconds=30)

    with counting(retracted=1):
        assert await retracted_in_mid_send(executor, db, novu_standin, attempt) == [Status.RETRACTED]

    assert row(db, attempt.notification_id)["notification_status"] == "RETRACTED"


async def test_the_last_failure_after_a_withdrawal_does_not_count_as_dead(
    engine: Engine, db: Db, novu_standin: NovuStandIn
) -> None:
    """The row stays FAILED, so that Novu is asked to cancel."""
    attempt = a_claimed(db)
    novu_standin.fault("accept_then_hang")

    async with delivering(engine, novu_standin, max_failures=1) as executor:
        with counting(failed_novu_unanswered=1):
            sending = asyncio.create_task(executor.deliver(attempt, last=True))
            await eventually(lambda: novu_standin.stats()["accepted"] == 1)
            retract(db, attempt)
            novu_standin.clear_faults()
            assert await sending == [Status.FAILED]

    assert row(db, attempt.notification_id)["notification_status"] == "FAILED"


async def test_an_expired_notification_is_counted_as_expired(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """A withdrawn notification is counted as retracted."""
    expired, withdrawn = a_claimed(db, expires_at="2020-01-01T00:00Z"), a_claimed(db)
    written(db, withdrawn.notification_id, retract_requested_at="2020-01-01T00:00Z")

    with counting(expired=1, retracted=1):
        assert await executor.deliver(expired, withdrawn) == [Status.RETRACTED] * 2


async def test_a_release_is_counted_as_released(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """Novu could not serve; nothing has failed."""
    novu_standin.fault("status", status=503)

    with counting(released=1):
        assert await executor.deliver(a_claimed(db)) == [Status.PENDING]


async def test_a_late_record_is_counted_as_late(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """Somebody else holds the row; nothing is written, with any answer of Novu's."""
    attempt = a_claimed(db)
    novu_standin.fault("slow", seconds=30)

    with counting(late=1):
        sending = asyncio.create_task(executor.deliver(attempt))
        await eventually(lambda: novu_standin.stats()["calls"] == 1)
        written(db, attempt.notification_id, send_until=soon())
        novu_standin.clear_faults()
        assert await sending == []


async def test_lost_contact_counts_as_a_failure_and_the_last_as_dead(executor: Delivering, db: Db) -> None:
    """Both counters follow the row."""
    first, last = a_claimed(db), a_claimed(db)
    written(db, last.notification_id, failure_count=7)

    with counting(failed_lost_contact=1):
        assert await executor.delivery.record_lost_contact([first]) == {first.notification_id: Status.FAILED}
    with counting(failed_lost_contact=1, dead_lost_contact=1):
        states = await executor.delivery.record_lost_contact([last])
        assert states == {last.notification_id: Status.DEAD}

    assert row(db, last.notification_id)["notification_status"] == "DEAD"


async def test_lost_contact_of_a_group_or_in_an_outage_counts_nowhere(executor: Delivering, db: Db) -> None:
    """Nobody knows the cause; and a late record is not counted as lost contact."""
    first, second, outage = (a_claimed(db) for _ in range(3))

    with counting():
        states = await executor.delivery.record_lost_contact([first, second])
        states |= await executor.delivery.record_lost_contact([outage], counted=False)
        assert await executor.delivery.record_lost_contact([outage]) == {}

    assert list(states.values()) == [Status.FAILED] * 3
