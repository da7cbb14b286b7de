"""What retention costs the loops: the time of a claim while a million old rows are purged, and without a purge.

A constant load runs throughout: on each beat, 100 rows are inserted, claimed, held and recorded. The purge runs for four
seconds and pauses for a second, so that both kinds of claims have the same table and the same machine.
"""

import asyncio
import statistics
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta

import psycopg

from benchmarks.speed import rows
from benchmarks.speed.scene import Figures, Scene
from xnovu_poller.store.engine import Engine, connect
from xnovu_poller.store.notifications import by_hold, hold
from xnovu_poller.store.notifications.claim import Cursor, Terms, claim
from xnovu_poller.store.notifications.due import NEW
from xnovu_poller.store.notifications.purge import purge
from xnovu_poller.store.notifications.verdict import Ending, Verdict
from xnovu_poller.temporal.chores.activities import PURGE_SHARE

KEEP = timedelta(days=90)
BEAT_SECONDS = 0.04
NORMAL_SECONDS, BESIDE_SECONDS = 1.0, 4.0

_TERMS = Terms(prefix="bench", batch=100, group_size=100, max_in_flight=1000, lease=timedelta(minutes=5))

# Triggers would refuse new rows that are SENT.
_UNGUARDED = "SET session_replication_role = replica"
_OLD = """
INSERT INTO notify.ent_notification (enterprise_id, name, notification_workflow_id, recipients, payload,
    notification_status, attempt, created_at, processed_at)
SELECT 'acme', 'order shipped', 1, ARRAY['subscriber-' || number],
    jsonb_build_object('note', rpad('', 580, 'a word or two ')), 'SENT', 1,
    now() - interval '101 days', now() - interval '100 days'
FROM generate_series(1, %s) AS number
"""

_LEFT = "SELECT count(*) FROM notify.ent_notification WHERE created_at < now() - interval '100 days'"


async def measure(scene: Scene) -> Figures:
    """Claim with and without the purge until the purge is complete; its rows per second count only its own time."""
    url = await scene.database("purging")
    rows.prepare(url)
    with psycopg.connect(url) as connection:
        connection.execute(_UNGUARDED)
        connection.execute(_OLD, [scene.sizes.purged_rows])
    rows.fill(url, scene.sizes.due_small)
    scene.settle(url)
    async with AsyncExitStack() as stack:
        engine = connect(url.replace("postgresql:", "postgresql+psycopg:", 1), part="purging")
        stack.push_async_callback(engine.dispose)
        producer = stack.enter_context(psycopg.connect(url, autocommit=True))
        load = _Load(engine, producer)
        after: int | None = 0
        spent = 0.0
        while after is not None:
            await load.until(time.monotonic() + NORMAL_SECONDS, load.normal)
            moment = time.monotonic()
            end = moment + BESIDE_SECONDS
            after, _ = await asyncio.gather(_purge_until(engine, after, end), load.until(end, load.beside))
            spent += time.monotonic() - moment
        left = (producer.execute(_LEFT).fetchone() or (None,))[0]
    if left != 0:
        raise RuntimeError(f"the purge left {left} rows")
    return {
        "purge_claim_p99_normal_ms": _p99_ms(load.normal),
        "purge_claim_p99_ms": _p99_ms(load.beside),
        "purge_rows_s": scene.sizes.purged_rows / spent,
    }


async def _purge_until(engine: Engine, after: int, end: float) -> int | None:
    """Purge as the chore does, with its pauses; return where to continue, or None if the purge is complete."""
    next_after: int | None = after
    while next_after is not None and time.monotonic() < end:
        started_at = time.monotonic()
        next_after = (await purge(engine, next_after, KEEP)).after
        await asyncio.sleep((time.monotonic() - started_at) * (1 / PURGE_SHARE - 1))
    return next_after


@dataclass
class _Load:
    """Inserts, claims, holds and records; keeps the seconds of each claim, with and without the purge."""

    engine: Engine
    producer: psycopg.Connection
    cursor: Cursor = field(default_factory=Cursor)
    normal: list[float] = field(default_factory=list)
    beside: list[float] = field(default_factory=list)

    async def until(self, end: float, claims: list[float]) -> None:
        while (moment := time.monotonic()) < end:
            claims.append(await self._beat())
            await asyncio.sleep(max(moment + BEAT_SECONDS - time.monotonic(), 0))

    async def _beat(self) -> float:
        await asyncio.to_thread(rows.insert, self.producer, _TERMS.batch)
        started_at = time.monotonic()
        claims, self.cursor = await claim(self.engine, NEW, _TERMS, self.cursor)
        took = time.monotonic() - started_at
        attempts = [claim.attempt for claim in claims]
        found = await hold.hold(self.engine, attempts, deadline=timedelta(seconds=10))
        await by_hold.record_sent(self.engine, [Verdict(Ending.SENT, held) for held in found.held])
        return took


def _p99_ms(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=100, method="inclusive")[98] * 1000
