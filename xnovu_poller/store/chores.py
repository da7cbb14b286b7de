"""How the chores of the deployment went: one row each, written by whichever worker did it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from xnovu_poller.lifecycle import seconds
from xnovu_poller.store.engine import Engine, acquire


@dataclass(frozen=True, slots=True)
class Chore:
    """A chore, as it went the last time.

    Attributes:
        name: which.
        finished_at: when, by the database's clock.
        took: how long.
        report: what it did, and where the next one goes on.
        error: why it failed; None if it did not.
    """

    name: str
    finished_at: datetime
    took: timedelta
    report: dict[str, Any]
    error: str | None


async def record(
    engine: Engine, name: str, took: timedelta, report: Mapping[str, Any] | None, error: str | None = None
) -> None:
    """Write how a chore went, in the place of what was written the last time.

    Args:
        engine: where the rows are.
        name: which.
        took: how long.
        report: what it did, as JSON knows it; None leaves the last report, for a chore that failed goes on from there.
        error: why it failed, in a sentence without payload or recipient.

    Raises:
        StoreUnavailable: it may not have been written.
    """
    values = {
        "name": name,
        "took_ms": round(took / timedelta(milliseconds=1)),
        "report": None if report is None else json.dumps(report),
        "error": error,
    }
    async with acquire(engine) as connection:
        await connection.execute(_NOTE, values)


async def read_all(engine: Engine) -> list[Chore]:
    """Read how each chore went, by name.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        rows = await connection.execute(_NOTED)
        return [
            Chore(row.name, row.finished_at, timedelta(milliseconds=row.took_ms), row.report, row.error)
            for row in rows
        ]


async def is_fresh(engine: Engine, name: str, within: timedelta) -> bool:
    """Say whether a chore was begun so lately, by the database's clock, and did not fail.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        return (await connection.execute(_FRESH, {"name": name, "within": seconds(within)})).rowcount > 0


_NOTE = text("""
    INSERT INTO notify.chore AS c (name, finished_at, took_ms, report, error)
    VALUES (:name, clock_timestamp(), :took_ms, coalesce(CAST(:report AS jsonb), '{}'), :error)
    ON CONFLICT (name) DO UPDATE SET finished_at = EXCLUDED.finished_at, took_ms = EXCLUDED.took_ms,
        report = coalesce(CAST(:report AS jsonb), c.report), error = EXCLUDED.error""")

_FRESH = text("""
    SELECT FROM notify.chore WHERE name = :name AND error IS NULL
        AND finished_at - took_ms * interval '1 ms' > clock_timestamp() - make_interval(secs => :within)""")

_NOTED = text("SELECT name, finished_at, took_ms, report, error FROM notify.chore ORDER BY name")
