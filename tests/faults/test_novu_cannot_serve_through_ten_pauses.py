"""Novu answers 503 until the gate has closed ten times: nothing fails, and traffic resumes step by step."""

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
from tests.support.stalled import stalling, until_stalled
from xnovu_poller.errors import NovuUnavailable
from xnovu_poller.lifecycle import Origin, Refused, Status
from xnovu_poller.loops.loop import BUSY_PAUSE
from xnovu_poller.store.engine import Engine

ROWS = 40
PAUSES = [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]

ANOTHER = Origin("another", "another", "xn-another")
"""The sender whose call showed this replica that Novu cannot serve."""

STATES = """
SELECT notification_status::text AS status, count(*) AS rows, sum(failure_count) AS failures,
    sum(unknown_outcomes) AS unknown, sum(lapses) AS lapses
FROM notify.ent_notification GROUP BY 1 ORDER BY 1"""


@pytest.fixture
def clock() -> Clock:
    """A clock that the test advances."""
    return Clock()


@pytest.fixture
def rows(db: Db) -> list[int]:
    """Insert notifications of several enterprises."""
    workflow = a_workflow(db)
    return [a_notification(db, workflow=workflow, enterprise=f"e{number % 3}") for number in range(ROWS)]


def states(db: Db) -> list[dict[str, Any]]:
    """Count the notifications by state, with the counters held against them."""
    return db.execute(STATES).fetchall()


def unharmed(status: str) -> list[dict[str, Any]]:
    """Return the result of `states` if all rows are in this state and no counter has moved."""
    return [{"status": status, "rows": ROWS, "failures": 0, "unknown": 0, "lapses": 0}]


async def outlast(worker: Replica, clock: Clock, db: Db, standin: NovuStandIn) -> list[float]:
    """Make a replica meet the outage ten times; return the pauses in seconds.

    The first turn finds the gate open and may use all connections; each later turn costs one call. A notification that
    is refused again is put off, so that each probe is another notification; it does not count.
    """
    spans: list[float] = []
    while len(spans) < len(PAUSES):
        before = standin.stats()["calls"]
        await worker.turn()
        calls = standin.stats()["calls"] - before
        assert calls <= (1 if spans else CONNECTIONS)
        assert harm(db) == 0
        if not worker.gate.closed:
            continue
        spans.append(worker.gate.pause.total_seconds())
        # Until the pause is over nothing is claimed, and the loop pauses for as long.
        assert await worker.turn() == ([], max(worker.gate.pause, BUSY_PAUSE))
        assert standin.stats()["calls"] - before == calls
        clock.advance(worker.gate.pause)
    return spans


async def test_nothing_fails_and_traffic_resumes_step_by_step(
    engine: Engine, db: Db, mode: Mode, novu_standin: NovuStandIn, clock: Clock, rows: list[int]
) -> None:
    """Nothing counts, although a single counted failure would be the last; then 1, 2, 4 … are sent at a time."""
    novu_standin.fault("status", status=503, times=None)
    async with replica(engine, novu_standin, clock, group_size=mode.size) as worker:
        assert await outlast(worker, clock, db, novu_standin) == PAUSES
        novu_standin.clear_faults()
        triggers = novu_standin.stats()["triggers"]
        waves = [len((await worker.turn())[0]) for _ in range(6)]
        waves.append(len(await worker.retry(db)))

    assert waves[:4] == [1, 2, 4, 8]
    assert sum(waves) == novu_standin.stats()["triggers"] - triggers == ROWS
    assert states(db) == unharmed("SENT")
    assert_kept(db, novu_standin)


def harm(db: Db) -> int:
    """Return the sum of all counters that are held against notifications."""
    return sum(state["failures"] + state["unknown"] + state["lapses"] for state in states(db))


async def test_replicas_do_not_come_back_in_step(
    engine: Engine, db: Db, mode: Mode, novu_standin: NovuStandIn, clock: Clock, rows: list[int]
) -> None:
    """Each makes its pauses up to a quarter longer, at random: when the first asks again, the other still waits."""
    novu_standin.fault("status", status=503, times=None)
    async with (
        replica(engine, novu_standin, clock, batch=ROWS // 2, group_size=mode.size) as prompt,
        replica(engine, novu_standin, clock, jitter=0.5, batch=ROWS // 2, group_size=mode.size) as slow,
    ):
        for worker in (prompt, slow):
            assert set((await worker.turn())[0]) == {Status.PENDING}
        clock.advance(prompt.gate.pause)
        novu_standin.clear_faults()
        assert [(await worker.turn())[0] for worker in (prompt, slow)] == [[Status.SENT], []]
        assert slow.gate.pause == timedelta(seconds=0.125)
        clock.advance(slow.gate.pause)
        assert [(await worker.turn())[0] for worker in (prompt, slow)] == [[Status.SENT] * 2, [Status.SENT]]
        while states(db) != unharmed("SENT"):
            for worker in (prompt, slow):
                await worker.turn()

    assert_kept(db, novu_standin)


@pytest.mark.usefixtures("rows")
async def test_a_claim_under_way_when_the_gate_closes_delays_no_probe(
    engine: Engine,
    database: str,
    db: Db,
    mode: Mode,
    novu_standin: NovuStandIn,
    clock: Clock,
) -> None:
    """Rows claimed while the gate is open are released because it has closed: after the pause one probe goes out."""
    async with replica(engine, novu_standin, clock, group_size=mode.size) as worker:
        with stalling(db, "PROCESSING"):
            turning = asyncio.create_task(worker.turn())
            await until_stalled(database, "xnovu:test")
            worker.gate.observe(ANOTHER, Refused(NovuUnavailable("503")))
        assert set((await turning)[0]) == {Status.PENDING}
        clock.advance(worker.gate.pause)
        assert (await worker.turn())[0] == [Status.SENT]


async def test_rows_that_cannot_be_sent_delay_no_others_after_a_pause(
    engine: Engine, db: Db, mode: Mode, novu_standin: NovuStandIn, clock: Clock
) -> None:
    """The few that are let through end DEAD or RETRACTED without a call, so the next are let through in their place."""
    workflow = a_workflow(db)
    for _ in range(3):
        a_notification(db, priority=9)
        a_notification(db, priority=1, workflow=workflow)
    async with replica(engine, novu_standin, clock, group_size=mode.size) as worker:
        worker.gate.observe(ANOTHER, Refused(NovuUnavailable("503")))
        clock.advance(worker.gate.pause)
        ended = [(await worker.turn())[0] for _ in range(5)]

    assert ended == [[Status.DEAD]] * 3 + [[Status.SENT], [Status.SENT, Status.SENT]]
    assert_kept(db, novu_standin)
