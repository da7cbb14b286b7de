"""Novu answers 503 until the gate has closed ten times: nothing fails, and traffic comes back little by little."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from tests.support.clock import Clock
from tests.support.gated import CONNECTIONS, Replica, replica
from tests.support.modes import Mode
from tests.support.novu import NovuStandIn
from tests.support.promise import assert_kept
from tests.support.rows import Db, a_notification, a_workflow
from tests.support.waiting import until_blocked
from xnovu_poller.errors import NovuUnavailable
from xnovu_poller.lifecycle import Refused, Sender, Status, seconds
from xnovu_poller.loops.loop import BUSY_PAUSE
from xnovu_poller.store.engine import Engine

ROWS = 40
PAUSES = [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]

ANOTHER = Sender("another", "another", "xn-another")
"""Whose call told this replica that Novu cannot serve."""

STATES = """
SELECT notification_status::text AS status, count(*) AS rows, sum(failure_count) AS failures,
    sum(unknown_outcomes) AS unknown, sum(lapses) AS lapses
FROM notify.ent_notification GROUP BY 1 ORDER BY 1"""


@pytest.fixture
def clock() -> Clock:
    """Time in the test's hand."""
    return Clock()


@pytest.fixture
def rows(db: Db) -> list[int]:
    """Insert notifications of several enterprises."""
    workflow = a_workflow(db)
    return [a_notification(db, workflow=workflow, enterprise=f"e{number % 3}") for number in range(ROWS)]


def states(db: Db) -> list[dict[str, Any]]:
    """Count the notifications by state, and what counts against them."""
    return db.execute(STATES).fetchall()


def unharmed(status: str) -> list[dict[str, Any]]:
    """Give what `states` says of rows that are all in one state, with nothing counted against any."""
    return [{"status": status, "rows": ROWS, "failures": 0, "unknown": 0, "lapses": 0}]


async def outlast(one: Replica, clock: Clock, db: Db, standin: NovuStandIn) -> list[float]:
    """Let a replica meet the outage ten times; give the pauses.

    After the first meeting, for which the gate was wide open, each costs one call.
    """
    spans = []
    for number in range(len(PAUSES)):
        before = standin.stats()["calls"]
        ended, _ = await one.turn()
        calls = standin.stats()["calls"] - before
        assert set(ended) == {Status.PENDING}
        assert calls == 1 if number else calls <= CONNECTIONS
        assert states(db) == unharmed("PENDING")
        spans.append(seconds(one.gate.pause))
        # Until the pause is over nothing is claimed, and the loop rests for as long.
        assert await one.turn() == ([], max(one.gate.pause, BUSY_PAUSE))
        assert standin.stats()["calls"] - before == calls
        clock.advance(one.gate.pause)
    return spans


async def test_nothing_fails_and_traffic_comes_back_little_by_little(
    engine: Engine, db: Db, mode: Mode, novu_standin: NovuStandIn, clock: Clock, rows: list[int]
) -> None:
    """PENDING all the while, though one counted failure would be the last; then one, two, four at a time."""
    novu_standin.fault("status", status=503, times=None)
    async with replica(engine, novu_standin, clock, group_size=mode.size) as one:
        assert await outlast(one, clock, db, novu_standin) == PAUSES
        novu_standin.clear_faults()
        triggers = novu_standin.stats()["triggers"]
        waves = [len((await one.turn())[0]) for _ in range(6)]

    assert waves == [1, 2, 4, 8, 16, ROWS - 31]
    assert novu_standin.stats()["triggers"] - triggers == ROWS
    assert states(db) == unharmed("SENT")
    assert_kept(db, novu_standin)


async def test_replicas_do_not_come_back_in_step(
    engine: Engine, db: Db, mode: Mode, novu_standin: NovuStandIn, clock: Clock, rows: list[int]
) -> None:
    """Each draws its pauses up to a quarter longer: when the first asks again, the other still waits."""
    novu_standin.fault("status", status=503, times=None)
    async with (
        replica(engine, novu_standin, clock, batch=ROWS // 2, group_size=mode.size) as prompt,
        replica(engine, novu_standin, clock, jitter=0.5, batch=ROWS // 2, group_size=mode.size) as tardy,
    ):
        for one in (prompt, tardy):
            assert set((await one.turn())[0]) == {Status.PENDING}
        clock.advance(prompt.gate.pause)
        novu_standin.clear_faults()
        assert [(await one.turn())[0] for one in (prompt, tardy)] == [[Status.SENT], []]
        assert tardy.gate.pause == timedelta(seconds=0.125)
        clock.advance(tardy.gate.pause)
        assert [(await one.turn())[0] for one in (prompt, tardy)] == [[Status.SENT] * 2, [Status.SENT]]
        while states(db) != unharmed("SENT"):
            for one in (prompt, tardy):
                await one.turn()

    assert_kept(db, novu_standin)


@pytest.mark.usefixtures("rows")
async def test_what_is_being_claimed_when_the_gate_closes_delays_no_probe(
    engine: Engine,
    database: str,
    db: Db,
    mode: Mode,
    novu_standin: NovuStandIn,
    clock: Clock,
) -> None:
    """Claimed while it was open, given back because it is closed: after the pause one notification goes out."""
    async with replica(engine, novu_standin, clock, group_size=mode.size) as one:
        with db.transaction():
            # A claim reads the key of each workflow.
            db.execute("LOCK TABLE notify.ent_notification_workflow")
            turning = asyncio.create_task(one.turn())
            await until_blocked(database, "xnovu:test")
            one.gate.observe(ANOTHER, Refused(NovuUnavailable("503")))
        assert set((await turning)[0]) == {Status.PENDING}
        clock.advance(one.gate.pause)
        assert (await one.turn())[0] == [Status.SENT]


async def test_what_cannot_be_sent_at_all_keeps_nobody_back_after_a_pause(
    engine: Engine, db: Db, mode: Mode, novu_standin: NovuStandIn, clock: Clock
) -> None:
    """The few that are let out end DEAD or RETRACTED without a call: the next go in their place."""
    workflow = a_workflow(db)
    for _ in range(3):
        a_notification(db, priority=9)
        a_notification(db, priority=1, workflow=workflow)
    async with replica(engine, novu_standin, clock, group_size=mode.size) as one:
        one.gate.observe(ANOTHER, Refused(NovuUnavailable("503")))
        clock.advance(one.gate.pause)
        ended = [(await one.turn())[0] for _ in range(5)]

    assert ended == [[Status.DEAD]] * 3 + [[Status.SENT], [Status.SENT, Status.SENT]]
    assert_kept(db, novu_standin)
