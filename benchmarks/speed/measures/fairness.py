"""How long a row waits behind 1,000,000 rows of another enterprise while the executors are saturated."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import psycopg

from benchmarks.speed import exact, rows, worker
from benchmarks.speed.measures.backlog import fresh
from benchmarks.speed.scene import Figures, Scene

GROUP = 100
MAX_IN_FLIGHT = 50_000
"""The default for such groups."""

_PATIENCE_SECONDS = 300
_FILLING_SECONDS = 30
_FULL_SECONDS = 5.0
"""After this time, as much is claimed as ever is."""
_GAP_SECONDS = 0.3

_HELD = "SELECT count(*) FROM notify.ent_notification WHERE notification_status = 'PROCESSING'"
_FRONT = "SELECT min(id) FROM notify.ent_notification WHERE notification_status = 'PENDING' AND enterprise_id <> 'zenith'"
_LONE = """
SELECT transaction_id, temporal_workflow_id FROM notify.ent_notification
WHERE enterprise_id = 'zenith' AND attempt > 0"""
# Rows of the same enterprise and priority are claimed in the order of their ids, a group at each claim.
_TURNS = """
SELECT count(DISTINCT n.temporal_workflow_id) FROM notify.ent_notification n
WHERE n.enterprise_id <> 'zenith' AND n.id >= %s AND n.id <= coalesce(
    (SELECT max(beside.id) FROM notify.ent_notification beside
     WHERE beside.enterprise_id <> 'zenith' AND beside.temporal_workflow_id = %s), %s)"""


async def measure(scene: Scene) -> Figures:
    """Insert a row while the deployment is full; count the turns and the seconds that it waits."""
    url = await fresh(scene, "fairness", due=scene.sizes.due_large, enterprises=1)
    await scene.sink.reset()
    async with (
        scene.temporal() as address,
        worker.running(scene, url, address, HANDOFF_GROUP_SIZE=str(GROUP)),
    ):
        with psycopg.connect(url, autocommit=True) as connection:
            await _until_full(connection)
            accepted = sum((await scene.sink.counts()).values())
            connection.execute("BEGIN")
            rows.insert(connection, 1, enterprise="zenith")
            began = time.monotonic()
            front = _commit(connection)
            name, group = await _until_claimed(connection)
            claimed = time.monotonic()
            last = _number(connection, _FRONT) - 1
            turns = connection.execute(_TURNS, [front, group, last]).fetchone()
            await _until_accepted(scene, name)
            waited = time.monotonic() - began
            rate = (sum((await scene.sink.counts()).values()) - accepted) / waited
    scene.show(f"    claimed after {claimed - began:.2f} s, accepted after {waited:.2f} s")
    return {
        "fair_wait_turns": float(turns[0]) if turns else 0.0,
        "fair_claim_s": claimed - began,
        "fair_wait_s": waited,
        "half_in_flight_s": MAX_IN_FLIGHT / 2 / rate,
    }


async def delay(scene: Scene) -> Figures:
    """Insert rows of another enterprise, one every 0.3 s, while a worker with default settings has the same backlog."""
    url = await fresh(scene, "fairness", due=scene.sizes.due_large, enterprises=1)
    await scene.sink.reset()
    async with scene.temporal() as address, worker.running(scene, url, address) as running:
        await running.until_ready()
        await scene.sink.until(scene.sizes.warm)
        await asyncio.sleep(_FULL_SECONDS)
        started_at = await _committed_beside(url, scene.sizes.fair_samples)

        async def arrived() -> dict[str, float] | None:
            arrivals = await scene.sink.arrivals()
            return arrivals if started_at.keys() <= arrivals.keys() else None

        arrivals = await _until(arrived, 0.5)
    assert arrivals is not None  # noqa: S101 - `_until` returns only a value
    # Most of the backlog still waits, so of its rows only those that arrived twice are at fault.
    counts = await scene.sink.counts()
    exact.compare(
        started_at, {name: times for name, times in counts.items() if name in started_at or times > 1}
    )
    cuts = statistics.quantiles(
        (arrivals[name] - moment for name, moment in started_at.items()), n=20, method="inclusive"
    )
    return {"fair_p50_s": cuts[9], "fair_p95_s": cuts[18]}


async def _committed_beside(url: str, count: int) -> dict[str, float]:
    """Commit a row after another; return the moment before each statement."""
    started_at: dict[str, float] = {}
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        for number in range(1, count + 1):
            moment = time.monotonic()
            started_at[await rows.insert_one(connection, number, enterprise="zenith")] = moment
            await asyncio.sleep(_GAP_SECONDS)
    return started_at


async def _until_full(connection: psycopg.Connection) -> None:
    """Wait until the deployment is full, but not for ever, because the executors may be too fast for that."""
    most = time.monotonic() + _FILLING_SECONDS

    async def full() -> bool:
        return _number(connection, _HELD) >= MAX_IN_FLIGHT * 0.98 or time.monotonic() > most

    await _until(full, 0.2)


def _commit(connection: psycopg.Connection) -> int:
    """Commit, and return the other enterprise's next id at that moment: rows that were claimed before made nobody wait."""
    # Send both statements at once, because rows are claimed during a round trip.
    cursor = connection.execute(f"COMMIT; {_FRONT}".encode())
    cursor.nextset()
    found = cursor.fetchone()
    return int(found[0]) if found else 0


async def _until_claimed(connection: psycopg.Connection) -> tuple[str, str]:
    """Return the transaction id of the row, and the id of the run that it shares with the other rows of its claim."""

    async def claimed() -> tuple[str, str] | None:
        found = connection.execute(_LONE).fetchone()
        return (str(found[0]), str(found[1])) if found else None

    found = await _until(claimed, 0.002)
    assert found is not None  # noqa: S101 - `_until` returns only a value
    return found


async def _until_accepted(scene: Scene, name: str) -> None:
    async def accepted() -> bool:
        return name in await scene.sink.counts()

    await _until(accepted, 0.05)


Found = TypeVar("Found")


async def _until(look: Callable[[], Awaitable[Found]], beat: float) -> Found:
    """Look every `beat` seconds until there is something."""
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while not (found := await look()):  # noqa: ASYNC110 - neither the database nor the sink can notify us
            await asyncio.sleep(beat)
    return found


def _number(connection: psycopg.Connection, question: str) -> int:
    found = connection.execute(question).fetchone()
    return int(found[0]) if found and found[0] is not None else 0
