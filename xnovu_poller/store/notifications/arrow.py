"""What the arrows share: how their rights are bound, and how the states that they wrote come back.

Each statement locks the rows that the caller has a right to, in the order of their ids, then changes
them: two batches that lock in one order never wait for each other in a circle. A caller whose right is
gone is late: its rows are not among those that come back, and nothing of them has changed.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row, TextClause

from xnovu_poller.lifecycle import Attempt, Claim, Hold, Status
from xnovu_poller.store.engine import Engine, acquire


async def move(engine: Engine, statement: TextClause, values: dict[str, Any]) -> dict[int, Status]:
    """Carry out an arrow.

    Returns:
        The state that was written, by id; ids that are missing are late.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        rows = await connection.execute(statement, values)
        return {id_: Status(state) for id_, state in rows}


def read_claims(rows: Iterable[Row[Any]]) -> list[Claim]:
    """Read the rows that a claim returns."""
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
    """Bind the right of a claim."""
    return {
        "ids": [attempt.notification_id for attempt in attempts],
        "attempts": [attempt.number for attempt in attempts],
    }


def bind_holds(holds: Sequence[Hold]) -> dict[str, Any]:
    """Bind the right of a hold."""
    return bind_attempts([hold.attempt for hold in holds]) | {"untils": [hold.until for hold in holds]}
