"""The arrows whose right is a claim: the row is still at the claimed attempt, and nobody is sending it.

Two of them need no claim: `expire` moves rows that nobody has claimed, and `record_cancel_answer` leaves SENT rows SENT.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import text

from xnovu_poller.lifecycle import Attempt, Claim, ErrorDetails, Status
from xnovu_poller.store.engine import Engine, query
from xnovu_poller.store.notifications.arrow import LIVE, bind_attempts, move, read_claims
from xnovu_poller.store.notifications.claim import Terms

EXPIRE_BATCH = 1000
"""A turn expires at most this many notifications."""

_RELEASE = text("""
    WITH requested AS (
        -- The attempts of the caller.
        SELECT * FROM unnest(CAST(:ids AS bigint[]), CAST(:attempts AS int[])) AS requested (id, attempt)
    ), locked AS MATERIALIZED (
        -- The rows that are still at that attempt, and on which no send has begun.
        SELECT n.id FROM notify.ent_notification n JOIN requested ON n.id = requested.id
        WHERE n.attempt = requested.attempt AND n.notification_status BETWEEN 'PROCESSING' AND 'PROCESSING' AND n.send_until IS NULL
        ORDER BY n.id
        FOR NO KEY UPDATE OF n SKIP LOCKED
    )
    UPDATE notify.ent_notification AS n SET
        -- Only a row that was FAILED before has a time for its next attempt.
        notification_status =
            CASE WHEN n.next_attempt_at IS NULL THEN 'PENDING' ELSE 'FAILED' END::notify.notification_status,
        error_details = coalesce(CAST(:error AS jsonb), n.error_details), lease_expires_at = NULL, send_until = NULL
    FROM locked WHERE n.id = locked.id
    RETURNING n.id, n.notification_status""")


async def release(
    engine: Engine, attempts: Sequence[Attempt], error: ErrorDetails | None = None
) -> dict[int, Status]:
    """Write PROCESSING → PENDING, or back to FAILED: release rows on which no send has begun; it counts as no failure.

    Args:
        error: why they wait; None leaves `error_details` as it is.

    Raises:
        StoreUnavailable: nothing may have been written; the leases lapse.
    """
    details = None if error is None else json.dumps(error.to_json())
    return await move(engine, _RELEASE, bind_attempts(attempts) | {"error": details})


_EXTEND_LEASE = text("""
    WITH requested AS (
        -- The attempts of the caller.
        SELECT * FROM unnest(CAST(:ids AS bigint[]), CAST(:attempts AS int[])) AS requested (id, attempt)
    ), locked AS MATERIALIZED (
        -- The rows that are still at that attempt.
        SELECT n.id FROM notify.ent_notification n JOIN requested ON n.id = requested.id
        WHERE n.attempt = requested.attempt AND n.notification_status BETWEEN 'PROCESSING' AND 'PROCESSING'
        ORDER BY n.id
        FOR NO KEY UPDATE OF n SKIP LOCKED
    )
    UPDATE notify.ent_notification AS n SET
        lease_expires_at = greatest(n.lease_expires_at, clock_timestamp() + make_interval(secs => :lease))
    FROM locked WHERE n.id = locked.id
    RETURNING n.id, n.notification_status""")


async def extend_lease(engine: Engine, attempts: Sequence[Attempt], lease: timedelta) -> dict[int, Status]:
    """Write PROCESSING → PROCESSING: extend the lease, because Temporal still has the run.

    Raises:
        StoreUnavailable: nothing may have been written.
    """
    return await move(engine, _EXTEND_LEASE, bind_attempts(attempts) | {"lease": lease.total_seconds()})


_RECLAIM = text(f"""
    WITH requested AS (
        -- The attempts of the caller.
        SELECT * FROM unnest(CAST(:ids AS bigint[]), CAST(:attempts AS int[])) AS requested (id, attempt)
    ), locked AS MATERIALIZED (
        -- The rows that are still at that attempt, and whose last send and lease have lapsed.
        SELECT n.id FROM notify.ent_notification n JOIN requested ON n.id = requested.id
        WHERE n.attempt = requested.attempt AND n.notification_status BETWEEN 'PROCESSING' AND 'PROCESSING'
            AND NOT {LIVE} AND n.lease_expires_at < clock_timestamp()
        ORDER BY n.id
        FOR NO KEY UPDATE OF n SKIP LOCKED
    )
    UPDATE notify.ent_notification AS n SET
        attempt = n.attempt + 1, claimed_at = clock_timestamp(),
        lease_expires_at = clock_timestamp() + make_interval(secs => :lease),
        temporal_workflow_id = concat(CAST(:prefix AS text), '-notification-', n.id, '-', n.attempt + 1)
    FROM locked WHERE n.id = locked.id
    RETURNING n.id, n.attempt, n.enterprise_id, n.temporal_workflow_id, n.priority, n.transaction_id,
        (SELECT w.workflow_key FROM notify.ent_notification_workflow w
         WHERE w.id = n.notification_workflow_id) AS workflow_key""")  # noqa: S608 - the condition is a constant


async def reclaim(engine: Engine, attempts: Sequence[Attempt], terms: Terms) -> list[Claim]:
    """Write PROCESSING → PROCESSING: claim again, because the run is gone and its last send has lapsed.

    Returns:
        The new claims; each has a run of its own.

    Raises:
        StoreUnavailable: the rows may have been claimed; their leases lapse.
    """
    values = bind_attempts(attempts) | {"lease": terms.lease.total_seconds(), "prefix": terms.prefix}
    return read_claims(await query(engine, _RECLAIM, values))


_RECALL = text("""
    WITH RECURSIVE enterprises (enterprise_id) AS (
        -- The enterprises with FAILED rows. A loose index scan, as in the claims.
        (SELECT n.enterprise_id FROM notify.ent_notification n
         WHERE n.notification_status = 'FAILED' AND n.publish_status = 'PUBLISH' AND NOT n.deactivated AND n.priority >= 0
         ORDER BY n.enterprise_id USING ~<~ LIMIT 1)
        UNION ALL
        SELECT (SELECT n.enterprise_id FROM notify.ent_notification n
                WHERE n.notification_status = 'FAILED' AND n.publish_status = 'PUBLISH' AND NOT n.deactivated
                    AND n.priority >= 0 AND n.enterprise_id ~>~ enterprises.enterprise_id
                ORDER BY n.enterprise_id USING ~<~ LIMIT 1)
        FROM enterprises WHERE enterprises.enterprise_id IS NOT NULL
    ), leases AS MATERIALIZED (
        -- The leases that end later than any lease can.
        SELECT n.id FROM notify.ent_notification n
        WHERE n.notification_status = 'PROCESSING' AND n.lease_expires_at > now() + make_interval(secs => :longest_lease)
        ORDER BY n.lease_expires_at DESC, n.id DESC LIMIT 1000
        FOR NO KEY UPDATE OF n SKIP LOCKED
    ), pauses AS MATERIALIZED (
        -- The next attempts that come later than any pause can last.
        SELECT latest.id FROM enterprises, LATERAL (
            SELECT n.id FROM notify.ent_notification n
            WHERE n.notification_status = 'FAILED' AND n.publish_status = 'PUBLISH' AND NOT n.deactivated
                AND n.priority >= 0 AND n.enterprise_id = enterprises.enterprise_id
                AND n.next_attempt_at > now() + make_interval(secs => :longest_pause)
            ORDER BY n.next_attempt_at DESC, n.id DESC LIMIT 1000
            FOR NO KEY UPDATE OF n SKIP LOCKED
        ) AS latest
        LIMIT 1000
    ), ahead AS (
        -- Both.
        SELECT id FROM leases UNION ALL SELECT id FROM pauses
    )
    UPDATE notify.ent_notification AS n SET
        lease_expires_at = CASE WHEN n.notification_status = 'PROCESSING' THEN clock_timestamp() END,
        next_attempt_at = CASE n.notification_status WHEN 'FAILED' THEN clock_timestamp() ELSE n.next_attempt_at END
    FROM ahead WHERE n.id = ahead.id
    RETURNING n.id, n.notification_status""")


async def recall(engine: Engine, *, longest_lease: timedelta, longest_pause: timedelta) -> dict[int, Status]:
    """Write PROCESSING → PROCESSING and FAILED → FAILED: end leases and pauses that are longer than any can be.

    They were written while the database's clock was ahead. Without this, their rows would wait for as long as that.

    Raises:
        StoreUnavailable: nothing may have been written.
    """
    values = {
        "longest_lease": longest_lease.total_seconds(),
        "longest_pause": longest_pause.total_seconds(),
    }
    return await move(engine, _RECALL, values)


_EXPIRE = text(f"""
    WITH over AS MATERIALIZED (
        -- The rows that expired first, of which Novu cannot have accepted anything.
        SELECT n.id FROM notify.ent_notification n
        WHERE n.notification_status IN ('PENDING', 'FAILED') AND n.expires_at <= now()
            AND n.unknown_outcomes = 0 AND NOT EXISTS (
                SELECT FROM notify.ent_notification_delivery d
                WHERE d.notification_id = n.id AND d.outcome IN ('accepted', 'unknown'))
        ORDER BY n.expires_at, n.id
        LIMIT {EXPIRE_BATCH}
        FOR NO KEY UPDATE OF n SKIP LOCKED
    )
    UPDATE notify.ent_notification AS n SET
        notification_status = 'RETRACTED', retraction_reason = 'expired', retracted_at = clock_timestamp()
    FROM over WHERE n.id = over.id
    RETURNING n.id, n.notification_status""")  # noqa: S608 - the limit is a literal, for generic plans


async def expire(engine: Engine) -> dict[int, Status]:
    """Write PENDING or FAILED → RETRACTED, with the reason `expired`, for at most `EXPIRE_BATCH` rows.

    A row stays if Novu may have accepted something of it.

    Raises:
        StoreUnavailable: nothing may have been written.
    """
    return await move(engine, _EXPIRE, {})


_RECORD_CANCEL_ANSWER = text("""
    WITH answers AS (
        -- Novu's answers, by notification.
        SELECT * FROM unnest(CAST(:ids AS bigint[]), CAST(:answers AS text[])) AS answers (id, answer)
    ), locked AS MATERIALIZED (
        -- The withdrawn rows that still need this answer.
        SELECT n.id, answers.answer FROM notify.ent_notification n JOIN answers USING (id)
        WHERE n.notification_status = 'SENT' AND n.retract_requested_at IS NOT NULL
            -- `cancelled` wins: another replica may have asked later, when nothing was left to cancel.
            AND (n.error_details IS NULL OR answers.answer = 'cancelled')
        ORDER BY n.id
        FOR NO KEY UPDATE OF n SKIP LOCKED
    )
    UPDATE notify.ent_notification AS n SET error_details = jsonb_build_object('cancel', locked.answer)
    FROM locked WHERE n.id = locked.id
    RETURNING n.id, n.notification_status""")


async def record_cancel_answer(engine: Engine, answers: Mapping[int, str]) -> dict[int, Status]:
    """Write SENT → SENT: record Novu's answer to a cancel; the notification stays SENT.

    Args:
        answers: the answer to record, by notification id. A row keeps its first answer, unless the new answer is `cancelled`.

    Raises:
        StoreUnavailable: nothing may have been written; Novu is asked again.
    """
    return await move(
        engine, _RECORD_CANCEL_ANSWER, {"ids": list(answers), "answers": list(answers.values())}
    )


class LostAttempt(NamedTuple):
    """An attempt whose run lost contact with its activity.

    Attributes:
        attempt: the right to write.
        wait: the time until the next attempt.
        counted: the failure brings the notification nearer to DEAD.
        died: the sender may have died, so an open send is a lapse; False if only the database was away.
    """

    attempt: Attempt
    wait: timedelta
    counted: bool
    died: bool


_RECORD_LOST_CONTACT = text(f"""
    WITH requested AS (
        -- The attempts of the caller.
        SELECT * FROM unnest(
            CAST(:ids AS bigint[]), CAST(:attempts AS int[]),
            CAST(:waits AS float8[]), CAST(:counted AS bool[]), CAST(:died AS bool[])
        ) AS requested (id, attempt, wait, counted, died)
    ), locked AS MATERIALIZED (
        -- The rows that are still at that attempt, and that nobody is sending.
        SELECT n.id, requested.wait, requested.counted, requested.died, n.send_until IS NOT NULL AS was_sending,
            -- A withdrawn row must not become DEAD, because Novu must be asked to cancel it.
            requested.counted AND n.failure_count + 1 >= :max_failures AND n.retract_requested_at IS NULL AS is_last
        FROM notify.ent_notification n JOIN requested ON n.id = requested.id
        WHERE n.attempt = requested.attempt AND n.notification_status BETWEEN 'PROCESSING' AND 'PROCESSING'
            AND {LIVE} IS NOT TRUE
        ORDER BY n.id
        FOR NO KEY UPDATE OF n SKIP LOCKED
    )
    UPDATE notify.ent_notification AS n SET
        notification_status = CASE WHEN locked.is_last THEN 'DEAD' ELSE 'FAILED' END::notify.notification_status,
        processed_at = CASE WHEN locked.is_last THEN clock_timestamp() END,
        next_attempt_at = clock_timestamp() + make_interval(secs => locked.wait),
        failure_count = n.failure_count + locked.counted::int, error_details = CAST(:error AS jsonb),
        lapses = n.lapses + (locked.was_sending AND locked.died)::int,
        unknown_outcomes = n.unknown_outcomes + locked.was_sending::int,
        lease_expires_at = NULL, send_until = NULL
    FROM locked WHERE n.id = locked.id
    RETURNING n.id, n.notification_status""")  # noqa: S608 - the condition is a constant


async def record_lost_contact(
    engine: Engine, lost: Sequence[LostAttempt], *, error: ErrorDetails, max_failures: int
) -> dict[int, Status]:
    """Write PROCESSING → FAILED, or DEAD with the counted failure that reaches `max_failures`.

    Rows with a live send do not change, because their sender may still record the outcome.

    Raises:
        StoreUnavailable: nothing may have been written.
    """
    values = bind_attempts([lost_attempt.attempt for lost_attempt in lost]) | {
        "waits": [lost_attempt.wait.total_seconds() for lost_attempt in lost],
        "counted": [lost_attempt.counted for lost_attempt in lost],
        "died": [lost_attempt.died for lost_attempt in lost],
        "error": json.dumps(error.to_json()),
        "max_failures": max_failures,
    }
    return await move(engine, _RECORD_LOST_CONTACT, values)
