"""The minutes of the last days: what workers did in each, and what waited; for the charts of the operator's page."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text

from xnovu_poller.store.engine import Engine, acquire

KEPT = timedelta(days=3)
"""Older minutes are deleted."""


@dataclass(frozen=True, slots=True)
class Minute:
    """A minute, as far as it was counted.

    Attributes:
        due: rows that were due, by loop; None: nobody has counted them in this minute. Each count stops at 10,000.
        in_flight: rows PROCESSING.
        oldest_due_seconds: for how long the oldest due row had been due; None: no row was due.
    """

    began_at: datetime
    due: Mapping[str, int | None]
    in_flight: int | None
    oldest_due_seconds: float | None
    sent: int
    failed: int
    dead: int

    @property
    def waiting(self) -> int | None:
        """The due rows of all loops."""
        counted = [count for count in self.due.values() if count is not None]
        return sum(counted) if counted else None


_RECORD = text("""
    WITH forgotten AS (
        -- The minutes that no chart shows any more.
        DELETE FROM notify.minute WHERE began_at < clock_timestamp() - make_interval(secs => :keep)
    )
    INSERT INTO notify.minute AS m (began_at, due_new, due_scheduled, due_failed, in_flight, oldest_due_seconds)
    VALUES (date_trunc('minute', clock_timestamp()), :new, :scheduled, :failed, :in_flight, :oldest)
    ON CONFLICT (began_at) DO UPDATE SET due_new = EXCLUDED.due_new, due_scheduled = EXCLUDED.due_scheduled,
        due_failed = EXCLUDED.due_failed, in_flight = EXCLUDED.in_flight, oldest_due_seconds = EXCLUDED.oldest_due_seconds""")


async def record_backlog(
    engine: Engine, due: Mapping[str, int], in_flight: int, oldest: Mapping[str, float | None]
) -> None:
    """Write what waits in this minute, and delete old minutes.

    Args:
        due: the due rows of each loop.
        in_flight: the rows PROCESSING.
        oldest: for how many seconds the oldest row of each loop has been due; None: no row is due.

    Raises:
        StoreUnavailable: it may not have been written.
    """
    waited = [seconds for seconds in oldest.values() if seconds is not None]
    values = {
        **due,
        "in_flight": in_flight,
        "oldest": max(waited, default=None),
        "keep": KEPT.total_seconds(),
    }
    async with acquire(engine) as connection:
        await connection.execute(_RECORD, values)


_READ = text("""
    SELECT began_at, due_new, due_scheduled, due_failed, in_flight, oldest_due_seconds, sent, failed, dead
    FROM notify.minute WHERE began_at > clock_timestamp() - make_interval(secs => :span) ORDER BY began_at""")


async def read_minutes(engine: Engine, span: timedelta) -> list[Minute]:
    """Read the last minutes that have a row, the oldest first.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        rows = await connection.execute(_READ, {"span": span.total_seconds()})
        return [
            Minute(
                row.began_at,
                {"new": row.due_new, "scheduled": row.due_scheduled, "failed": row.due_failed},
                row.in_flight,
                row.oldest_due_seconds,
                row.sent,
                row.failed,
                row.dead,
            )
            for row in rows
        ]
