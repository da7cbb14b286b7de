"""Runs are started for claims; a claim whose run could not be started is released."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.integration.loops.conftest import Starts, a_loop, states
from tests.support.rows import Db, attempt_of, notifications, row
from tests.support.waiting import eventually
from xnovu_poller.errors import TemporalRefused, TemporalUnavailable
from xnovu_poller.loops.drain import Drain
from xnovu_poller.loops.starter import CONCURRENT_STARTS
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications.claim import Terms
from xnovu_poller.store.notifications.hold import hold

SECOND = timedelta(seconds=1)


async def test_claims_of_a_group_share_a_start(engine: Engine, db: Db, starts: Starts, terms: Terms) -> None:
    """Each group is a single run."""
    made = notifications(db, 5)

    await a_loop(engine, starts, replace(terms, group_size=2)).turn()

    assert starts.ids == made
    assert sorted(len(group) for group in starts.groups) == [1, 2, 2]
    assert all(len({claim.run_id for claim in group}) == 1 for group in starts.groups)


@pytest.mark.parametrize(
    "error", [TemporalUnavailable("DEADLINE_EXCEEDED"), TemporalRefused("no")], ids=lambda error: error.code
)
async def test_a_start_that_fails_releases_its_claims_and_no_others(
    engine: Engine, db: Db, starts: Starts, terms: Terms, error: TemporalRefused | TemporalUnavailable
) -> None:
    """The rest of the batch is handed off; the turn raises the error."""
    first, second, third = notifications(db, 3)
    starts.failing[second] = error

    with pytest.raises(type(error)):
        await a_loop(engine, starts, terms).turn()

    assert states(db) == ["PROCESSING", "PENDING", "PROCESSING"]
    assert starts.ids == [first, third]
    released = row(db, second)
    assert (released["attempt"], released["failure_count"], released["lease_expires_at"]) == (
        1,
        0,
        None,
    )


async def test_a_start_that_arrives_after_its_release_is_late(
    engine: Engine, db: Db, starts: Starts, terms: Terms
) -> None:
    """Temporal did not answer, but started the run: it holds nothing, neither before nor after the next claim."""
    [made] = notifications(db, 1)
    starts.failing[made] = TemporalUnavailable("DEADLINE_EXCEEDED")
    loop = a_loop(engine, starts, terms)
    with pytest.raises(TemporalUnavailable):
        await loop.turn()

    first = attempt_of(db, made)
    arrived = await hold(engine, [first], deadline=SECOND)
    starts.failing.clear()
    await loop.turn()
    later = await hold(engine, [first], deadline=SECOND)

    assert not arrived.held + later.held
    assert not arrived.live + later.live
    assert [group[0].attempt.number for group in starts.groups] == [2]


async def test_a_stop_starts_nothing_more_and_releases_what_was_not_handed_off(
    engine: Engine, db: Db, starts: Starts, terms: Terms
) -> None:
    """Starts under way are finished; the current turn is the last."""
    notifications(db, CONCURRENT_STARTS + 10)
    starts.go_on.clear()
    loop = a_loop(engine, starts, terms)
    drain = Drain(loop)
    draining = asyncio.create_task(drain.drain())
    await eventually(lambda: starts.begun == CONCURRENT_STARTS)

    loop.stop()
    stopping = asyncio.create_task(drain.stop())
    starts.go_on.set()
    await asyncio.gather(stopping, draining)

    assert len(starts.groups) == CONCURRENT_STARTS
    assert states(db).count("PENDING") == 10
