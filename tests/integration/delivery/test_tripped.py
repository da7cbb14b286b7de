"""A workflow that fails while others succeed: its notifications are turned away, and the others are sent."""

from contextlib import suppress
from datetime import timedelta

import pytest

from tests.support.clock import Clock
from tests.support.delivering import Delivering, a_claimed
from tests.support.novu import NovuStandIn
from tests.support.rows import Db, a_workflow, row
from xnovu_poller.backpressure.breaker import TRIPS_AT
from xnovu_poller.errors import Unfinished
from xnovu_poller.lifecycle import Attempt, Status

PAUSE = timedelta(seconds=2)
"""Longer than the first pause of a workflow."""


@pytest.fixture
async def broken(executor: Delivering, db: Db, novu_standin: NovuStandIn) -> int:
    """A workflow that Novu never answers, tripped; Novu has just accepted another."""
    workflow = a_workflow(db, key="broken")
    novu_standin.fault("status", status=500, match={"workflow": "broken"}, times=TRIPS_AT)
    assert await executor.deliver(a_claimed(db)) == [Status.SENT]
    for _ in range(TRIPS_AT):
        with suppress(Unfinished):
            await executor.deliver(a_claimed(db, workflow=workflow))
    return workflow


async def test_a_notification_of_a_tripped_workflow_is_turned_away(
    executor: Delivering, broken: int, db: Db, novu_standin: NovuStandIn
) -> None:
    """It is FAILED until the pause is over; nothing is sent, and nothing is counted."""
    calls = novu_standin.stats()["calls"]
    attempt = a_claimed(db, workflow=broken)

    assert await executor.deliver(attempt) == [Status.FAILED]

    kept = row(db, attempt.notification_id)
    assert kept["notification_status"] == "FAILED"
    assert (kept["failure_count"], kept["unknown_outcomes"]) == (0, 0)
    assert kept["error_details"]["code"] == "workflow_tripped"
    assert kept["next_attempt_at"] - kept["updated_at"] < PAUSE
    assert novu_standin.stats()["calls"] == calls


async def test_others_are_served_meanwhile(executor: Delivering, broken: int, db: Db) -> None:
    """The gate stays open, and a group is divided."""
    failing, healthy = a_claimed(db, workflow=broken), a_claimed(db)

    assert sorted(ending.name for ending in await executor.deliver(failing, healthy)) == ["FAILED", "SENT"]
    assert not executor.gate.closed


async def test_a_tripped_workflow_recovers_after_a_successful_probe(
    executor: Delivering, broken: int, db: Db, clock: Clock
) -> None:
    """After the pause a single notification probes; the others follow once Novu accepts it."""
    probe = a_claimed(db, workflow=broken)
    clock.advance(PAUSE)

    assert await executor.deliver(probe) == [Status.SENT]
    following: list[Attempt] = [a_claimed(db, workflow=broken) for _ in range(3)]
    assert await executor.deliver(*following) == [Status.SENT] * 3


async def test_a_probe_without_an_answer_fails_at_once(
    executor: Delivering, broken: int, db: Db, novu_standin: NovuStandIn, clock: Clock
) -> None:
    """Its next try would be turned away. So a workflow that always fails is counted, and ends."""
    probe = a_claimed(db, workflow=broken)
    clock.advance(PAUSE)
    novu_standin.fault("status", status=500, match={"workflow": "broken"})

    assert await executor.deliver(probe) == [Status.FAILED]

    kept = row(db, probe.notification_id)
    assert (kept["failure_count"], kept["unknown_outcomes"], kept["refusals"]) == (1, 1, 1)
    assert kept["error_details"]["code"] == "novu_unanswered"
