"""The results of the deployment's chores: a row for each chore, written by the worker that did it last."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from xnovu_poller.store.engine import Engine, acquire


@dataclass(frozen=True, slots=True)
class Chore:
    """The result of a chore's last run.

    Attributes:
        finished_at: by the database's clock.
        report: the work that it did, and where the next run continues.
        error: why it failed; None if it did not.
    """

    name: str
    finished_at: datetime
    took: timedelta
    report: dict[str, Any]
    error: str | None


_RECORD = text("""
    INSERT INTO notify.chore AS c (name, finished_at, took_ms, report, error)
    VALUES (:name, clock_timestamp(), :took_ms, coalesce(CAST(:report AS jsonb), '{}'), :error)
    ON CONFLICT (name) DO UPDATE SET finished_at = EXCLUDED.finished_at, took_ms = EXCLUDED.took_ms,
        report = coalesce(CAST(:report AS jsonb), c.report), error = EXCLUDED.error""")


async def record(
    engine: Engine, name: str, took: timedelta, report: Mapping[str, Any] | None, error: str | None = None
) -> None:
    """Record the result of a chore; it replaces the last result.

    Args:
        report: the work that it did, as JSON; None keeps the last report, from which the next run continues.
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
        await connection.execute(_RECORD, values)


_READ_ALL = text("SELECT name, finished_at, took_ms, report, error FROM notify.chore ORDER BY name")


async def read_all(engine: Engine) -> list[Chore]:
    """Read the last result of each chore, by name.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        rows = await connection.execute(_READ_ALL)
        return [
            Chore(row.name, row.finished_at, timedelta(milliseconds=row.took_ms), row.report, row.error)
            for row in rows
        ]


@dataclass(frozen=True, slots=True)
class Last:
    """What a chore needs to know of its last run.

    Attributes:
        is_fresh: whether it began a short time ago, and did not fail.
        report: empty if it was never done.
    """

    is_fresh: bool
    report: dict[str, Any]


_READ_LAST = text("""
    SELECT report, error IS NULL
            AND finished_at - took_ms * interval '1 ms' > clock_timestamp() - make_interval(secs => :within)
            -- Its end lies ahead if the clock was ahead then.
            AND finished_at <= clock_timestamp() AS is_fresh
    FROM notify.chore WHERE name = :name""")


async def read_last(engine: Engine, name: str, within: timedelta) -> Last:
    """Read the last run of a chore.

    Args:
        within: a run is fresh if it began within this time, by the database's clock.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    values = {"name": name, "within": within.total_seconds()}
    async with acquire(engine) as connection:
        found = (await connection.execute(_READ_LAST, values)).one_or_none()
    return Last(found.is_fresh, found.report) if found else Last(is_fresh=False, report={})
