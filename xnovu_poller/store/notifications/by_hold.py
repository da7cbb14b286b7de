"""The arrows of the executors: their right is a hold, including the `send_until` that the hold wrote.

So an executor that stalled until its hold lapsed is late, and changes nothing.
"""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import text

from xnovu_poller.lifecycle import Status
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications.arrow import bind_holds, move
from xnovu_poller.store.notifications.verdict import Verdict

_RECORD_SENT = text("""
    WITH requested AS (
        -- The holds of the caller.
        SELECT * FROM unnest(CAST(:ids AS bigint[]), CAST(:attempts AS int[]), CAST(:untils AS timestamptz[]))
            AS requested (id, attempt, until)
    ), locked AS MATERIALIZED (
        -- The rows whose hold is still valid.
        SELECT n.id FROM notify.ent_notification n JOIN requested ON n.id = requested.id
        WHERE n.attempt = requested.attempt AND n.notification_status BETWEEN 'PROCESSING' AND 'PROCESSING' AND n.send_until = requested.until
        ORDER BY n.id
        FOR NO KEY UPDATE OF n SKIP LOCKED
    )
    UPDATE notify.ent_notification AS n SET
        notification_status = 'SENT', processed_at = clock_timestamp(), updated_at = clock_timestamp(), error_details = NULL,
        lease_expires_at = NULL, send_until = NULL
    FROM locked WHERE n.id = locked.id
    RETURNING n.id, n.notification_status""")


async def record_sent(engine: Engine, verdicts: Sequence[Verdict]) -> dict[int, Status]:
    """Write PROCESSING → SENT: Novu accepted every chunk.

    If the process dies here, the send is made again under the same transaction id, and Novu drops the repeat.

    Raises:
        StoreUnavailable: nothing may have been written.
    """
    return await move(engine, _RECORD_SENT, _bind(verdicts))


_RECORD_FAILED = text("""
    WITH requested AS (
        -- The holds of the caller, each with its error.
        SELECT * FROM unnest(
            CAST(:ids AS bigint[]), CAST(:attempts AS int[]), CAST(:untils AS timestamptz[]),
            CAST(:errors AS jsonb[]), CAST(:waits AS float8[]), CAST(:counted AS bool[]),
            CAST(:refused AS bool[]), CAST(:unknown AS bool[]), CAST(:withdrawn AS bool[])
        ) AS requested (id, attempt, until, error, wait, counted, refused, unknown, withdrawn)
    ), locked AS MATERIALIZED (
        -- The rows whose hold is still valid. Their sender does not know of a retraction that came after the hold.
        SELECT n.id, n.failure_count, requested.error, requested.wait, requested.counted, requested.refused,
            requested.unknown, n.retract_requested_at IS NOT NULL AND NOT requested.withdrawn AS newly_withdrawn
        FROM notify.ent_notification n JOIN requested ON n.id = requested.id
        WHERE n.attempt = requested.attempt AND n.notification_status BETWEEN 'PROCESSING' AND 'PROCESSING' AND n.send_until = requested.until
        ORDER BY n.id
        FOR NO KEY UPDATE OF n SKIP LOCKED
    ), judged AS (
        -- Decide which failure is the last. A newly withdrawn row gets another attempt, which asks Novu to cancel.
        SELECT locked.*, counted AND failure_count + 1 >= :max_failures AND NOT newly_withdrawn AS is_last FROM locked
    )
    UPDATE notify.ent_notification AS n SET
        notification_status = CASE WHEN judged.is_last THEN 'DEAD' ELSE 'FAILED' END::notify.notification_status,
        processed_at = CASE WHEN judged.is_last THEN clock_timestamp() END,
        next_attempt_at = clock_timestamp()
            + make_interval(secs => CASE WHEN judged.newly_withdrawn THEN 0 ELSE judged.wait END),
        failure_count = n.failure_count + judged.counted::int,
        refusals = n.refusals + judged.refused::int,
        unknown_outcomes = n.unknown_outcomes + judged.unknown::int,
        error_details = judged.error, lease_expires_at = NULL, send_until = NULL
    FROM judged WHERE n.id = judged.id
    RETURNING n.id, n.notification_status""")


async def record_failed(
    engine: Engine, verdicts: Sequence[Verdict], *, max_failures: int
) -> dict[int, Status]:
    """Write PROCESSING → FAILED, or DEAD with the counted failure that reaches `max_failures`.

    If a retraction was requested since the hold, the row becomes FAILED, not DEAD, and its next attempt comes at once.

    Raises:
        StoreUnavailable: nothing may have been written.
    """
    values = _bind(verdicts) | {
        "errors": _errors(verdicts),
        "waits": [verdict.wait.total_seconds() for verdict in verdicts],
        "counted": [verdict.counted for verdict in verdicts],
        "refused": [verdict.refused for verdict in verdicts],
        "unknown": [verdict.unknown for verdict in verdicts],
        "withdrawn": [verdict.held.withdrawn for verdict in verdicts],
        "max_failures": max_failures,
    }
    return await move(engine, _RECORD_FAILED, values)


_RECORD_DEAD = text("""
    WITH requested AS (
        -- The holds of the caller, each with its error.
        SELECT * FROM unnest(
            CAST(:ids AS bigint[]), CAST(:attempts AS int[]), CAST(:untils AS timestamptz[]),
            CAST(:errors AS jsonb[]), CAST(:refused AS bool[])
        ) AS requested (id, attempt, until, error, refused)
    ), locked AS MATERIALIZED (
        -- The rows whose hold is still valid. A row that was withdrawn meanwhile is retracted if nothing was accepted.
        SELECT n.id, requested.error, requested.refused,
            n.retract_requested_at IS NOT NULL AND n.unknown_outcomes = 0 AND NOT EXISTS (
                SELECT FROM notify.ent_notification_delivery d
                WHERE d.notification_id = n.id AND d.outcome IN ('accepted', 'unknown')) AS is_retracted
        FROM notify.ent_notification n JOIN requested ON n.id = requested.id
        WHERE n.attempt = requested.attempt AND n.notification_status BETWEEN 'PROCESSING' AND 'PROCESSING' AND n.send_until = requested.until
        ORDER BY n.id
        FOR NO KEY UPDATE OF n SKIP LOCKED
    )
    UPDATE notify.ent_notification AS n SET
        notification_status = CASE WHEN locked.is_retracted THEN 'RETRACTED' ELSE 'DEAD' END::notify.notification_status,
        retracted_at = CASE WHEN locked.is_retracted THEN clock_timestamp() END,
        processed_at = CASE WHEN NOT locked.is_retracted THEN clock_timestamp() END,
        error_details = CASE WHEN NOT locked.is_retracted THEN locked.error END,
        refusals = n.refusals + locked.refused::int, lease_expires_at = NULL, send_until = NULL
    FROM locked WHERE n.id = locked.id
    RETURNING n.id, n.notification_status""")


async def record_dead(engine: Engine, verdicts: Sequence[Verdict]) -> dict[int, Status]:
    """Write PROCESSING → DEAD: no further attempt can succeed; `error_details` has the reason.

    Write RETRACTED instead if that was requested meanwhile and nothing was accepted.

    Raises:
        StoreUnavailable: nothing may have been written.
    """
    values = _bind(verdicts) | {
        "errors": _errors(verdicts),
        "refused": [verdict.refused for verdict in verdicts],
    }
    return await move(engine, _RECORD_DEAD, values)


_RELEASE_HELD = text("""
    WITH requested AS (
        -- The holds of the caller, each with what Novu's answer was, and why the row waits.
        SELECT * FROM unnest(
            CAST(:ids AS bigint[]), CAST(:attempts AS int[]), CAST(:untils AS timestamptz[]),
            CAST(:errors AS jsonb[]), CAST(:refused AS bool[]), CAST(:unknown AS bool[])
        ) AS requested (id, attempt, until, error, refused, unknown)
    ), locked AS MATERIALIZED (
        -- The rows whose hold is still valid.
        SELECT n.id, requested.error, requested.refused, requested.unknown
        FROM notify.ent_notification n JOIN requested ON n.id = requested.id
        WHERE n.attempt = requested.attempt AND n.notification_status BETWEEN 'PROCESSING' AND 'PROCESSING' AND n.send_until = requested.until
        ORDER BY n.id
        FOR NO KEY UPDATE OF n SKIP LOCKED
    )
    UPDATE notify.ent_notification AS n SET
        -- Only a row that was FAILED before has a time for its next attempt.
        notification_status =
            CASE WHEN n.next_attempt_at IS NULL THEN 'PENDING' ELSE 'FAILED' END::notify.notification_status,
        refusals = n.refusals + locked.refused::int, unknown_outcomes = n.unknown_outcomes + locked.unknown::int,
        error_details = coalesce(locked.error, n.error_details), lease_expires_at = NULL, send_until = NULL
    FROM locked WHERE n.id = locked.id
    RETURNING n.id, n.notification_status""")


async def release_held(engine: Engine, verdicts: Sequence[Verdict]) -> dict[int, Status]:
    """Write PROCESSING → PENDING, or back to FAILED: Novu could not serve, or the last try could not finish.

    `unknown` counts here too, because a gateway may have passed the call on before it refused.

    Raises:
        StoreUnavailable: nothing may have been written; the sends lapse.
    """
    values = _bind(verdicts) | {
        "errors": _errors(verdicts),
        "refused": [verdict.refused for verdict in verdicts],
        "unknown": [verdict.unknown for verdict in verdicts],
    }
    return await move(engine, _RELEASE_HELD, values)


_RECORD_RETRACTED = text("""
    WITH requested AS (
        -- The holds of the caller, each with the reason.
        SELECT * FROM unnest(
            CAST(:ids AS bigint[]), CAST(:attempts AS int[]), CAST(:untils AS timestamptz[]),
            CAST(:reasons AS text[]), CAST(:unknown AS bool[])
        ) AS requested (id, attempt, until, reason, unknown)
    ), locked AS MATERIALIZED (
        -- The rows whose hold is still valid.
        SELECT n.id, requested.reason, requested.unknown
        FROM notify.ent_notification n JOIN requested ON n.id = requested.id
        WHERE n.attempt = requested.attempt AND n.notification_status BETWEEN 'PROCESSING' AND 'PROCESSING' AND n.send_until = requested.until
        ORDER BY n.id
        FOR NO KEY UPDATE OF n SKIP LOCKED
    )
    UPDATE notify.ent_notification AS n SET
        notification_status = 'RETRACTED', retracted_at = clock_timestamp(),
        retraction_reason = coalesce(n.retraction_reason, locked.reason),
        error_details = CASE WHEN locked.unknown THEN jsonb_build_object('delivery', 'unknown') END,
        lease_expires_at = NULL, send_until = NULL
    FROM locked WHERE n.id = locked.id
    RETURNING n.id, n.notification_status""")


async def record_retracted(engine: Engine, verdicts: Sequence[Verdict]) -> dict[int, Status]:
    """Write PROCESSING → RETRACTED: withdrawn or expired before its send.

    If the verdict is `unknown`, the row is marked: its delivery is unknown. Without the mark, Novu accepted nothing.

    Raises:
        StoreUnavailable: nothing may have been written.
    """
    values = _bind(verdicts) | {
        "reasons": [verdict.reason for verdict in verdicts],
        "unknown": [verdict.unknown for verdict in verdicts],
    }
    return await move(engine, _RECORD_RETRACTED, values)


_RECORD_UNKNOWN = text("""
    WITH requested AS (
        -- The holds of the caller, each with its error.
        SELECT * FROM unnest(
            CAST(:ids AS bigint[]), CAST(:attempts AS int[]), CAST(:untils AS timestamptz[]), CAST(:errors AS jsonb[])
        ) AS requested (id, attempt, until, error)
    ), locked AS MATERIALIZED (
        -- The rows whose hold is still valid.
        SELECT n.id, requested.error FROM notify.ent_notification n JOIN requested ON n.id = requested.id
        WHERE n.attempt = requested.attempt AND n.notification_status BETWEEN 'PROCESSING' AND 'PROCESSING' AND n.send_until = requested.until
        ORDER BY n.id
        FOR NO KEY UPDATE OF n SKIP LOCKED
    )
    UPDATE notify.ent_notification AS n SET
        unknown_outcomes = n.unknown_outcomes + 1, error_details = locked.error, send_until = NULL
    FROM locked WHERE n.id = locked.id
    RETURNING n.id, n.notification_status""")


async def record_unknown(engine: Engine, verdicts: Sequence[Verdict]) -> dict[int, Status]:
    """Write PROCESSING → PROCESSING: Novu may have accepted it; the next try sends the same event by itself.

    Raises:
        StoreUnavailable: nothing may have been written; the send lapses, which counts the same.
    """
    return await move(engine, _RECORD_UNKNOWN, _bind(verdicts) | {"errors": _errors(verdicts)})


_CLEAR_HOLD = text("""
    WITH requested AS (
        -- The holds of the caller, each with why its notification was not sent.
        SELECT * FROM unnest(
            CAST(:ids AS bigint[]), CAST(:attempts AS int[]), CAST(:untils AS timestamptz[]),
            CAST(:errors AS jsonb[]), CAST(:refused AS bool[])
        ) AS requested (id, attempt, until, error, refused)
    ), locked AS MATERIALIZED (
        -- The rows whose hold is still valid.
        SELECT n.id, requested.error, requested.refused
        FROM notify.ent_notification n JOIN requested ON n.id = requested.id
        WHERE n.attempt = requested.attempt AND n.notification_status BETWEEN 'PROCESSING' AND 'PROCESSING' AND n.send_until = requested.until
        ORDER BY n.id
        FOR NO KEY UPDATE OF n SKIP LOCKED
    )
    UPDATE notify.ent_notification AS n SET
        refusals = n.refusals + locked.refused::int, error_details = coalesce(locked.error, n.error_details),
        send_until = NULL
    FROM locked WHERE n.id = locked.id
    RETURNING n.id, n.notification_status""")


async def clear_hold(engine: Engine, verdicts: Sequence[Verdict]) -> dict[int, Status]:
    """Write PROCESSING → PROCESSING: nothing is being sent, so the next try of this attempt can start at once.

    Raises:
        StoreUnavailable: nothing may have been written; the sends lapse.
    """
    values = _bind(verdicts) | {
        "errors": _errors(verdicts),
        "refused": [verdict.refused for verdict in verdicts],
    }
    return await move(engine, _CLEAR_HOLD, values)


def _bind(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    return bind_holds([verdict.hold for verdict in verdicts])


def _errors(verdicts: Sequence[Verdict]) -> list[str | None]:
    return [None if verdict.error is None else json.dumps(verdict.error.to_json()) for verdict in verdicts]
