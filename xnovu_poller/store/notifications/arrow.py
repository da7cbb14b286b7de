"""The code that the arrows share: bind rights, and return the states that were written.

Each statement first locks the rows to which the caller has a right, in the order of their ids, so that two batches
cannot deadlock, and then changes them. If a caller no longer has its right, it is late: its row does not change, and
is not among the returned rows.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row, TextClause

from xnovu_poller.lifecycle import Attempt, Claim, Hold, Status
from xnovu_poller.store.engine import Engine, acquire


async def move(engine: Engine, statement: TextClause, values: dict[str, Any]) -> dict[int, Status]:
    """Carry out an arrow.

    Returns:
        The state that was written, by id; a missing id is late.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        rows = await connection.execute(statement, values)
        return {id_: Status(state) for id_, state in rows}


def read_claims(rows: Iterable[Row[Any]]) -> list[Claim]:
    """Return the claims in the rows of a statement."""
    return [
        Claim(
            Attempt(row.id, row.attempt),
            row.enterprise_id,
            row.workflow_key,
            row.temporal_workflow_id,
            row.priority,
        )
        for row in rows
    ]


def bind_attempts(attempts: Sequence[Attempt]) -> dict[str, Any]:
    """Return the parameters that prove the right of a claim."""
    return {
        "ids": [attempt.notification_id for attempt in attempts],
        "attempts": [attempt.number for attempt in attempts],
    }


def bind_holds(holds: Sequence[Hold]) -> dict[str, Any]:
    """Return the parameters that prove the right of a hold."""
    return bind_attempts([hold.attempt for hold in holds]) | {"untils": [hold.until for hold in holds]}
