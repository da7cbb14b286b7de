"""The code that the arrows share: bind rights, and return the states that were written.

Each statement first locks the rows to which the caller has a right, in the order of their ids, so that two batches
cannot deadlock, and then changes them. It skips rows that another session has locked: anybody may keep a lock for as
long as they like, and must not keep our connection too. So a row that is not among the returned rows is late, because
its caller no longer has its right, or locked; `read_rightful` distinguishes them.

The state of a row that is found by its id is a range: an equality would let the planner read the indexes of rows in flight
instead of the primary key. They are small in a quiet moment, but the plan is kept for busy times.

The claim, the hold and `record_sent` set `updated_at` themselves, which spares them the function of the trigger.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import TextClause, text

from xnovu_poller.lifecycle import Attempt, Claim, Hold, Status
from xnovu_poller.store.engine import Engine, query, to_array

LIVE = "(n.send_until BETWEEN clock_timestamp() AND clock_timestamp() + interval '10 min')"
"""The condition of a live send. No hold lasts longer than NOVU_TIMEOUT_MS can be (5 minutes) and the margin. A later
`send_until` was written while the database's clock was ahead, and must not bind anybody for as long as that."""


async def move(engine: Engine, statement: TextClause, values: dict[str, Any]) -> dict[int, Status]:
    """Carry out an arrow.

    Returns:
        The state that was written, by id; a missing id is late or locked.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    return {id_: _STATES[state] for id_, state in await query(engine, statement, values)}


_STATES = {state.value.encode(): state for state in Status}


_RIGHTFUL = text("""
    SELECT n.id
    FROM unnest(CAST(:ids AS bigint[]), CAST(:attempts AS int[]), CAST(:untils AS timestamptz[]))
        AS requested (id, attempt, until)
    JOIN notify.ent_notification n ON n.id = requested.id
    WHERE n.attempt = requested.attempt AND n.notification_status BETWEEN 'PROCESSING' AND 'PROCESSING'
        AND (requested.until IS NULL OR n.send_until = requested.until)""")


async def read_rightful(engine: Engine, rights: Sequence[Attempt] | Sequence[Hold]) -> set[int]:
    """Return the notifications on which these rights are still valid.

    Those that an arrow skipped were locked by another session, and can be tried again; the others are late.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    attempts = [right.attempt if isinstance(right, Hold) else right for right in rights]
    untils = [right.until if isinstance(right, Hold) else None for right in rights]
    found = await query(engine, _RIGHTFUL, bind_attempts(attempts) | {"untils": untils})
    return {row.id for row in found}


def read_claims(rows: Iterable[Any]) -> list[Claim]:
    """Return the claims in the rows of a statement."""
    return [
        Claim(
            Attempt(row.id, row.attempt),
            row.enterprise_id,
            row.workflow_key,
            row.temporal_workflow_id,
            row.priority,
            row.transaction_id,
        )
        for row in rows
    ]


def bind_attempts(attempts: Sequence[Attempt]) -> dict[str, Any]:
    """Return the parameters that prove the right of a claim."""
    return {
        "ids": to_array(attempt.notification_id for attempt in attempts),
        "attempts": to_array(attempt.number for attempt in attempts),
    }


def bind_holds(holds: Sequence[Hold]) -> dict[str, Any]:
    """Return the parameters that prove the right of a hold."""
    return bind_attempts([hold.attempt for hold in holds]) | {
        "untils": to_array(hold.until for hold in holds)
    }
