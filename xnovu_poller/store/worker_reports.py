"""What workers report of themselves: their health, their gate to Novu, and what they have done since their last report."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from xnovu_poller import __version__
from xnovu_poller.incidents import name_process
from xnovu_poller.store.engine import Engine, acquire

FORGOTTEN_AFTER = timedelta(days=1)
"""A worker that has not reported for this long is forgotten."""


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """A worker, as it last reported.

    Attributes:
        worker: its machine and process.
        silent: for how long it has not reported, by the database's clock.
        health: its answer to /health.
        gate: its gate to Novu and its open breakers, as in /status.
    """

    worker: str
    version: str
    started_at: datetime
    silent: timedelta
    health: Mapping[str, Any]
    gate: Mapping[str, Any]


_REPORT = text("""
    WITH counted AS (
        -- What all workers have done in this minute.
        INSERT INTO notify.minute AS m (began_at, sent, failed, dead)
        VALUES (date_trunc('minute', clock_timestamp()), :sent, :failed, :dead)
        ON CONFLICT (began_at) DO UPDATE SET
            sent = m.sent + EXCLUDED.sent, failed = m.failed + EXCLUDED.failed, dead = m.dead + EXCLUDED.dead
    ), forgotten AS (
        -- Workers that are gone.
        DELETE FROM notify.worker_report
        WHERE reported_at < clock_timestamp() - make_interval(secs => :keep) AND worker <> :worker
    )
    INSERT INTO notify.worker_report AS r (worker, version, health, gate)
    VALUES (:worker, :version, CAST(:health AS jsonb), CAST(:gate AS jsonb))
    ON CONFLICT (worker) DO UPDATE SET version = EXCLUDED.version, reported_at = clock_timestamp(),
        health = EXCLUDED.health, gate = EXCLUDED.gate""")


async def report(
    engine: Engine, health: Mapping[str, Any], gate: Mapping[str, Any], done: Mapping[str, int]
) -> None:
    """Write how this worker is, and add what it has done to the minute.

    Args:
        done: the notifications that it has `sent`, those that became `dead`, and attempts that `failed`, since its last report.

    Raises:
        StoreUnavailable: it may not have been written.
        StoreLocked: nothing was written, because another worker writes the same minute.
    """
    values = {
        "worker": name_process(),
        "version": __version__,
        "health": json.dumps(dict(health)),
        "gate": json.dumps(dict(gate)),
        "keep": FORGOTTEN_AFTER.total_seconds(),
    }
    async with acquire(engine) as connection:
        await connection.execute(_REPORT, values | dict(done))


_WITHDRAW = text("DELETE FROM notify.worker_report WHERE worker = :worker")


async def withdraw(engine: Engine) -> None:
    """Delete the report of this worker, which stops: nobody should take it for lost.

    Raises:
        StoreUnavailable: it may be there still.
    """
    async with acquire(engine) as connection:
        await connection.execute(_WITHDRAW, {"worker": name_process()})


_READ = text("""
    SELECT worker, version, started_at, extract(epoch FROM clock_timestamp() - reported_at) AS silent, health, gate
    FROM notify.worker_report ORDER BY reported_at DESC, worker LIMIT 1000""")


async def read_workers(engine: Engine) -> list[WorkerReport]:
    """Read the workers that have reported, those that have reported last first.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        rows = await connection.execute(_READ)
        return [
            WorkerReport(
                row.worker,
                row.version,
                row.started_at,
                timedelta(seconds=float(row.silent)),
                row.health,
                row.gate,
            )
            for row in rows
        ]
