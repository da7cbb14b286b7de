"""Which enterprises wait: those whose oldest due row has waited longest, and how much they have."""

from collections.abc import Mapping
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import text

from xnovu_poller.store.engine import Engine, acquire
from xnovu_poller.store.notifications.backlog import COUNTED_AT_MOST, list_enterprises
from xnovu_poller.store.notifications.due import FAILED, NEW, SCHEDULED, Due

COUNTED_OF_EACH = 1_000
"""The counts of an enterprise stop here, each loop by itself."""


class Waiting(NamedTuple):
    """What an enterprise has due.

    Attributes:
        due: the number of its due rows; the count of each loop stops at `COUNTED_OF_EACH`.
        oldest: for how long its oldest row has been due.
    """

    due: int
    oldest: timedelta


def _oldest(due: Due, since: str) -> str:
    """Return the query of the oldest due row of each enterprise of a loop."""
    return f"""SELECT * FROM (
            WITH RECURSIVE {list_enterprises(due)}
            SELECT enterprises.enterprise_id, oldest.due_since
            FROM (SELECT enterprise_id FROM enterprises LIMIT {COUNTED_AT_MOST}) AS enterprises, LATERAL (
                SELECT greatest({since}, timestamptz '1970-01-01Z') AS due_since FROM notify.ent_notification n
                WHERE {due.owned} AND n.priority >= 0 AND {due.due_now} AND n.enterprise_id = enterprises.enterprise_id
                ORDER BY {due.oldest_first} LIMIT 1
            ) AS oldest
        ) AS {due.name}"""  # noqa: S608 - built of the loops' conditions


def _count(due: Due) -> str:
    """Return the subquery that counts the due rows of an enterprise of a loop."""
    return f"""(SELECT count(*) FROM (
            SELECT FROM notify.ent_notification n
            WHERE {due.owned} AND n.priority >= 0 AND {due.due_now} AND n.enterprise_id = longest.enterprise_id
            LIMIT {COUNTED_OF_EACH}) AS {due.name})"""  # noqa: S608 - built of the loops' conditions


_WAITING = text(f"""
    WITH oldest AS (
        -- The oldest due row of each enterprise, by loop.
        {_oldest(NEW, "n.created_at")}
        UNION ALL
        {_oldest(SCHEDULED, "greatest(n.created_at, n.scheduled_for)")}
        UNION ALL
        {_oldest(FAILED, "n.next_attempt_at")}
    ), longest AS MATERIALIZED (
        -- The enterprises that have waited longest.
        SELECT enterprise_id, min(due_since) AS due_since FROM oldest
        GROUP BY enterprise_id ORDER BY 2, 1 LIMIT :most
    )
    SELECT longest.enterprise_id,
        CAST(extract(epoch FROM clock_timestamp()) - extract(epoch FROM longest.due_since) AS float8) AS seconds,
        {_count(NEW)} + {_count(SCHEDULED)} + {_count(FAILED)} AS due
    FROM longest ORDER BY longest.due_since, longest.enterprise_id""")  # noqa: S608 - built of the loops' conditions


async def read_waiting(engine: Engine, most: int) -> Mapping[str, Waiting]:
    """Return the enterprises that have waited longest, with what they have due, the longest first.

    It looks at the first `COUNTED_AT_MOST` enterprises of each loop.

    Args:
        most: the most enterprises.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        rows = (await connection.execute(_WAITING, {"most": most})).all()
    return {row.enterprise_id: Waiting(row.due, timedelta(seconds=row.seconds)) for row in rows}
