"""The form of an arrow: lock the rows that the caller has a right to, in the order of their ids, then change them.

Two batches that lock in one order never wait for each other in a ring. A caller whose right is gone is
late: its rows are not among those that moved, and nothing of them has changed.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import TextClause, text

from xnovu_poller.lifecycle import Attempt, Claim, Hold
from xnovu_poller.store.engine import Engine, acquire

LET_GO = "lease_expires_at = NULL, send_until = NULL"
BACK = "CASE WHEN n.next_attempt_at IS NULL THEN 'PENDING' ELSE 'FAILED' END::notify.notification_status"
"""Where a release leads: `next_attempt_at` remembers that the row came from FAILED."""

WORKFLOW_KEY = """(SELECT w.workflow_key FROM notify.ent_notification_workflow w
        WHERE w.id = n.notification_workflow_id) AS workflow_key"""

_KINDS = {
    "untils": "timestamptz",
    "details": "jsonb",
    "waits": "float8",
    "counts": "int",
    "unknowns": "int",
    "refused": "int",
    "withdrawn": "int",
}


def arrow(change: str, *, right: str, more: str = "", returning: str = "n.id") -> TextClause:
    """Write an arrow as SQL; it binds `ids`, `attempts` and the arrays named by `more`.

    Args:
        change: the SET list; `mine` has the columns named by `more`.
        right: the condition beyond id, attempt and PROCESSING; `asked` has the columns too.
        more: names of further bound arrays, parallel to the ids.
        returning: what the statement returns of each row that moved.
    """
    columns = "".join(f", {name}" for name in more.split())
    arrays = "".join(f", CAST(:{name} AS {_KINDS[name]}[])" for name in more.split())
    return text(f"""
    WITH asked AS (
        SELECT * FROM unnest(CAST(:ids AS bigint[]), CAST(:attempts AS int[]){arrays})
            AS asked (id, attempts{columns})
    ), mine AS MATERIALIZED (
        SELECT n.id{columns} FROM notify.ent_notification n JOIN asked ON n.id = asked.id
        WHERE n.attempt = asked.attempts AND n.notification_status = 'PROCESSING' AND {right}
        ORDER BY n.id
        FOR UPDATE OF n
    )
    UPDATE notify.ent_notification AS n SET {change}
    FROM mine WHERE n.id = mine.id
    RETURNING {returning}""")  # noqa: S608 - built of the arrows' constants


async def move(engine: Engine, statement: TextClause, values: dict[str, Any]) -> set[int]:
    """Carry out an arrow.

    Returns:
        The ids that moved; the others are late.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        return set((await connection.scalars(statement, values)).all())


def claims_of(rows: Sequence[Any]) -> list[Claim]:
    """Read the rows of a claim."""
    return [
        Claim(r.id, r.attempt, r.enterprise_id, r.workflow_key, r.temporal_workflow_id, r.priority)
        for r in rows
    ]


def bind_works(works: Sequence[Attempt]) -> dict[str, Any]:
    """Bind the right of a claim."""
    return {"ids": [work.notification_id for work in works], "attempts": [work.attempt for work in works]}


def bind_holds(held: Sequence[Hold]) -> dict[str, Any]:
    """Bind the right of a hold."""
    return {
        "ids": [hold.notification_id for hold in held],
        "attempts": [hold.attempt for hold in held],
        "untils": [hold.until for hold in held],
    }
