"""The arrows of the executors: their right is a hold, the very `send_until` that it wrote included.

So a twin that was stalled until its hold lapsed is late, and changes nothing.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from xnovu_poller.lifecycle import Attempt, ErrorDetails, Hold, seconds
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications.arrow import BACK, LET_GO, arrow, bind_holds, bind_works, move


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed attempt, as its row will tell it.

    Attributes:
        hold: the right to write.
        fault: what went wrong.
        wait: how long until the next attempt.
        counted: whether it brings the notification nearer to DEAD; an outage does not.
        unknown: the last try may have been accepted.
        refused: Novu answered, so that the next attempt bears another idempotency key.
        withdrawn: its retraction was known when it was held. One that was asked for since is not given up:
            the next attempt comes at once, and asks Novu to cancel.
    """

    hold: Hold
    fault: ErrorDetails
    wait: timedelta
    counted: bool = True
    unknown: bool = False
    refused: bool = False
    withdrawn: bool = False


async def release_held(
    engine: Engine, holds: Sequence[Hold], *, refused: bool, unknown: bool = False
) -> set[int]:
    """PROCESSING → PENDING, or FAILED where it came from: Novu could not serve.

    Args:
        engine: where the rows are.
        holds: the rights to write.
        refused: Novu gave a definite answer, so the next call must bear another idempotency key.
        unknown: a gateway gave it, which may have passed the call on: it may have been accepted.

    Raises:
        StoreUnavailable: nothing may have been written; the sends lapse.
    """
    values = bind_holds(holds) | {"refused": int(refused), "unknown": int(unknown)}
    return await move(engine, _RELEASE_HELD, values)


async def sent(engine: Engine, holds: Sequence[Hold]) -> set[int]:
    """PROCESSING → SENT: Novu accepted every chunk. If the process dies here, the send is made again
    under the same transaction id, and Novu drops the repeat.

    Raises:
        StoreUnavailable: nothing may have been written.
    """
    return await move(engine, _SENT, bind_holds(holds))


async def failed(engine: Engine, failures: Sequence[Failure], *, max_failures: int) -> set[int]:
    """PROCESSING → FAILED, or DEAD with the failure that reaches `max_failures`.

    Raises:
        StoreUnavailable: nothing may have been written.
    """
    values = bind_holds([failure.hold for failure in failures]) | {
        "details": [json.dumps(failure.fault.details()) for failure in failures],
        "waits": [seconds(failure.wait) for failure in failures],
        "counts": [int(failure.counted) for failure in failures],
        "unknowns": [int(failure.unknown) for failure in failures],
        "refused": [int(failure.refused) for failure in failures],
        "withdrawn": [int(failure.withdrawn) for failure in failures],
        "max_failures": max_failures,
    }
    return await move(engine, _FAILED, values)


async def dead(
    engine: Engine, faults: Sequence[tuple[Hold, ErrorDetails]], *, refused: bool = False
) -> set[int]:
    """PROCESSING → DEAD: no further attempt can succeed; `error_details` says why. RETRACTED instead, where
    that was asked for meanwhile and nothing was accepted.

    Args:
        engine: where the rows are.
        faults: the rights to write, each with what its row is to tell.
        refused: it was Novu's definite answer, so that a revived send bears another idempotency key.

    Raises:
        StoreUnavailable: nothing may have been written.
    """
    return await move(engine, _DEAD, _faults(faults) | {"refused": int(refused)})


async def unknown(engine: Engine, faults: Sequence[tuple[Hold, ErrorDetails]]) -> set[int]:
    """PROCESSING → PROCESSING: it may have been accepted; the next try makes the same call again.

    Raises:
        StoreUnavailable: nothing may have been written; the send lapses, which counts the same.
    """
    return await move(engine, _UNKNOWN, _faults(faults))


async def let_go(engine: Engine, holds: Sequence[Hold]) -> set[int]:
    """PROCESSING → PROCESSING: nothing is being sent; the next try of this attempt goes on at once.

    Raises:
        StoreUnavailable: nothing may have been written; the sends lapse.
    """
    return await move(engine, _LET_GO, bind_holds(holds))


async def retracted(engine: Engine, holds: Sequence[Hold], *, reason: str, certain: bool) -> set[int]:
    """PROCESSING → RETRACTED: withdrawn or expired before its send.

    Args:
        engine: where the rows are.
        holds: the rights to write.
        reason: why, unless the producer has given a reason.
        certain: nothing was accepted; otherwise the row says that its delivery is unknown.

    Raises:
        StoreUnavailable: nothing may have been written.
    """
    return await move(engine, _RETRACTED, bind_holds(holds) | {"reason": reason, "certain": certain})


async def lose(  # noqa: PLR0913 - what is to be told, each named
    engine: Engine,
    works: Sequence[Attempt],
    *,
    fault: ErrorDetails,
    wait: timedelta,
    max_failures: int,
    counted: bool,
    died: bool,
) -> set[int]:
    """PROCESSING → FAILED or DEAD: the workflow never heard from its activity again.

    Rows with a live send are left alone: whoever sends may still record it.

    Args:
        engine: where the rows are.
        works: what the workflow was to deliver.
        fault: what the row is to tell.
        wait: how long until the next attempt.
        max_failures: as many counted failures are the last.
        counted: whether this is one.
        died: the sender may have died: a send that nobody ended is a lapse. It did not if only its
            database was away.

    Returns:
        The ids that moved.

    Raises:
        StoreUnavailable: nothing may have been written.
    """
    values = bind_works(works) | {
        "details": json.dumps(fault.details()),
        "wait": seconds(wait),
        "max_failures": max_failures,
        "counted": int(counted),
        "died": died,
    }
    return await move(engine, _LOSE, values)


def _faults(faults: Sequence[tuple[Hold, ErrorDetails]]) -> dict[str, Any]:
    return bind_holds([hold for hold, _ in faults]) | {
        "details": [json.dumps(fault.details()) for _, fault in faults]
    }


_HOLDS = "n.send_until = asked.untils"
_ASKED_SINCE = "(n.retract_requested_at IS NOT NULL AND mine.withdrawn = 0)"
_LAST = f"n.failure_count + mine.counts >= :max_failures AND mine.counts > 0 AND NOT {_ASKED_SINCE}"
_NOTHING_SENT = """(n.retract_requested_at IS NOT NULL AND n.unknown_outcomes = 0 AND NOT EXISTS (
            SELECT FROM notify.ent_notification_delivery d
            WHERE d.notification_id = n.id AND d.outcome IN ('accepted', 'unknown')))"""

_RELEASE_HELD = arrow(
    f"""notification_status = {BACK}, {LET_GO}, refusals = n.refusals + :refused,
        unknown_outcomes = n.unknown_outcomes + :unknown""",
    right=_HOLDS,
    more="untils",
)
_SENT = arrow(
    f"notification_status = 'SENT', processed_at = clock_timestamp(), error_details = NULL, {LET_GO}",
    right=_HOLDS,
    more="untils",
)
_FAILED = arrow(
    f"""notification_status = CASE WHEN {_LAST} THEN 'DEAD' ELSE 'FAILED' END::notify.notification_status,
        processed_at = CASE WHEN {_LAST} THEN clock_timestamp() END,
        next_attempt_at = clock_timestamp()
            + make_interval(secs => CASE WHEN NOT {_ASKED_SINCE} THEN mine.waits ELSE 0 END),
        failure_count = n.failure_count + mine.counts, unknown_outcomes = n.unknown_outcomes + mine.unknowns,
        refusals = n.refusals + mine.refused, error_details = mine.details, {LET_GO}""",
    right=_HOLDS,
    more="untils details waits counts unknowns refused withdrawn",
)
_DEAD = arrow(
    f"""notification_status = CASE WHEN {_NOTHING_SENT} THEN 'RETRACTED' ELSE 'DEAD' END::notify.notification_status,
        retracted_at = CASE WHEN {_NOTHING_SENT} THEN clock_timestamp() END,
        processed_at = CASE WHEN NOT {_NOTHING_SENT} THEN clock_timestamp() END,
        error_details = CASE WHEN NOT {_NOTHING_SENT} THEN mine.details END, refusals = n.refusals + :refused, {LET_GO}""",
    right=_HOLDS,
    more="untils details",
)
_UNKNOWN = arrow(
    "unknown_outcomes = n.unknown_outcomes + 1, error_details = mine.details, send_until = NULL",
    right=_HOLDS,
    more="untils details",
)
_LET_GO = arrow("send_until = NULL", right=_HOLDS, more="untils")
_RETRACTED = arrow(
    f"""notification_status = 'RETRACTED', retracted_at = clock_timestamp(),
        retraction_reason = coalesce(n.retraction_reason, :reason),
        error_details = CASE WHEN :certain THEN NULL ELSE jsonb_build_object('delivery', 'unknown') END, {LET_GO}""",
    right=_HOLDS,
    more="untils",
)
_LOST_FOR_GOOD = (
    ":counted > 0 AND n.failure_count + :counted >= :max_failures AND n.retract_requested_at IS NULL"
)
_LOSE = arrow(
    f"""notification_status = CASE WHEN {_LOST_FOR_GOOD}
            THEN 'DEAD' ELSE 'FAILED' END::notify.notification_status,
        processed_at = CASE WHEN {_LOST_FOR_GOOD} THEN clock_timestamp() END,
        next_attempt_at = clock_timestamp() + make_interval(secs => :wait),
        failure_count = n.failure_count + :counted, error_details = CAST(:details AS jsonb),
        lapses = n.lapses + (n.send_until IS NOT NULL AND :died)::int,
        unknown_outcomes = n.unknown_outcomes + (n.send_until IS NOT NULL)::int, {LET_GO}""",
    right="(n.send_until IS NULL OR n.send_until < clock_timestamp())",
)
