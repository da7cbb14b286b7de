"""What was inserted for an enterprise in the last day, and what became of it: for a chart."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text

from xnovu_poller.lifecycle import Status
from xnovu_poller.store.engine import Engine, acquire
from xnovu_poller.store.notifications.filters import LISTED

SPAN, STEP = timedelta(hours=24), timedelta(minutes=20)

COUNTED_OF_EACH = 5_000
"""The newest of each state that are counted, so that a chart costs the same for any enterprise."""


@dataclass(frozen=True, slots=True)
class Step:
    """A part of the day: how many were inserted in it, and how many of these are SENT and DEAD by now."""

    began_at: datetime
    inserted: int
    sent: int
    dead: int


_INSERTED = "\n        UNION ALL\n        ".join(
    f"""(SELECT n.notification_status AS status, n.created_at FROM notify.ent_notification n
            WHERE n.notification_status = '{state}' AND {LISTED} AND n.enterprise_id = :enterprise
                AND n.created_at >= now() - interval '24 hours'
            ORDER BY n.notification_status DESC, n.created_at DESC, n.id DESC LIMIT {COUNTED_OF_EACH})"""  # noqa: S608 - built of constants
    for state in Status
    if state is not Status.PROCESSING
)

_DAY = text(f"""
    SELECT date_bin(interval '20 minutes', inserted.created_at, timestamptz '2000-01-01Z') AS began_at,
        count(*) AS inserted, count(*) FILTER (WHERE inserted.status = 'SENT') AS sent,
        count(*) FILTER (WHERE inserted.status = 'DEAD') AS dead
    FROM (
        {_INSERTED}
    ) AS inserted GROUP BY 1 ORDER BY 1""")  # noqa: S608 - built of constants


async def read_day(engine: Engine, enterprise: str) -> list[Step]:
    """Return the parts of the last day in which notifications of an enterprise were inserted; those in flight are left out.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        rows = await connection.execute(_DAY, {"enterprise": enterprise})
        return [Step(row.began_at, row.inserted, row.sent, row.dead) for row in rows]
