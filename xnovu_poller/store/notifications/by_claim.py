"""The arrows whose right is a claim: nobody is sending, and the row is still at the attempt that was claimed.

Two need no claim: `expire` takes rows that nobody has claimed, and `record_cancel_answer` writes beside SENT.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import text

from xnovu_poller.lifecycle import Attempt, Claim, ErrorDetails, Status
from xnovu_poller.store.engine import Engine, acquire
from xnovu_poller.store.notifications.arrow import bind_attempts, move, read_claims
from xnovu_poller.store.notifications.claim import Terms

EXPIRE_AT_ONCE = 1000
"""One turn expires this many notifications at most."""

_RELEASE = text("""
    WITH requested AS (
        -- The attempts of the caller.
        SELECT * FROM unnest(CAST(:ids AS bigint[]), CAST(:attempts AS int[])) AS requested (id, attempt)
    ), locked AS MATERIALIZED (
        -- The rows that are still at that attempt, and on which no send has begun.
        SELECT n.id FROM notify.ent_notification n JOIN requested ON n.id = requested.id
        WHERE n.attempt = requested.attempt AND n.notification_status = 'PROCESSING' AND n.send_until IS NULL
        ORDER BY n.id
        FOR UPDATE OF n
    )
    UPDATE notify.ent_notification AS n SET
        -- Only what came from FAILED has a time for its next attempt.
        notification_status =
            CASE WHEN n.next_attempt_at IS NULL THEN 'PENDING' ELSE 'FAILED' END::notify.notification_status,
        lease_expires_at = NULL, send_until = NULL
    FROM locked WHERE n.id = locked.id
    RETURNING n.id, n.notification_status""")


async def release(engine: Engine, attempts: Sequence[Attempt]) -> dict[int, Status]:
    """Write PROCESSING → PENDING, or FAILED where it came from: give back rows on which no send has begun.

    Raises:
        StoreUnavailable: nothing may have been written; the leases lapse.
    """
    return await move(engine, _RELEASE, bind_attempts(attempts))


_EXTEND_LEASE = text("""
    WITH requested AS (
        -- The attempts of the caller.
        SELECT * FROM unnest(CAST(:ids AS bigint[]), CAST(:attempts AS int[])) AS requested (id, attempt)
    ), locked AS MATERIALIZED (
        -- The rows that are still at that attempt.
        SELECT n.id FROM notify.ent_notification n JOIN requested ON n.id = requested.id
        WHERE n.attempt = requested.attempt AND n.notification_status = 'PROCESSING'
        ORDER BY n.id
        FOR UPDATE OF n
    )
    UPDATE notify.ent_notification AS n SET
        lease_expires_at = greatest(n.lease_expires_at, clock_timestamp() + make_interval(secs => :lease))
    FROM locked WHERE n.id = locked.id
    RETURNING n.id, n.notification_status""")


async def extend_lease(engine: Engine, attempts: Sequence[Attempt], lease: timedelta) -> dict[int, Status]:
    """Write PROCESSING → PROCESSING: Temporal still has the run, so the lease goes on.

    Raises:
        StoreUnavailable: nothing may have been written.
    """
    return await move(engine, _EXTEND_LEASE, bind_attempts(attempts) | {"lease": lease.total_seconds()})


_RECLAIM = text("""
    WITH requested AS (
        -- The attempts of the caller.
        SELECT * FROM unnest(CAST(:ids AS bigint[]), CAST(:attempts AS int[])) AS requested (id, attempt)
    ), locked AS MATERIALIZED (
        -- The rows that are still at that attempt, and whose last send and lease have lapsed.
        SELECT n.id FROM notify.ent_notification n JOIN requested ON n.id = requested.id
        WHERE n.attempt = requested.attempt AND n.notification_status = 'PROCESSING'
            AND n.send_until < clock_timestamp() AND n.lease_expires_at < clock_timestamp()
        ORDER BY n.id
        FOR UPDATE OF n
    )
    UPDATE notify.ent_notification AS n SET
        attempt = n.attempt + 1, lease_expires_at = clock_timestamp() + make_interval(secs => :lease),
        temporal_workflow_id = concat(CAST(:prefix AS text), '-notification-', n.id, '-', n.attempt + 1)
    FROM locked WHERE n.id = locked.id
    RETURNING n.id, n.attempt, n.enterprise_id, n.temporal_workflow_id, n.priority,
        (SELECT w.workflow_key FROM notify.ent_notification_workflow w
         WHERE w.id = n.notification_workflow_id) AS workflow_key""")


async def reclaim(engine: Engine, attempts: Sequence[Attempt], terms: Terms) -> list[Claim]:
    """Write PROCESSING → PROCESSING, claimed anew: the run is gone and its last send has lapsed.

    Returns:
        The new claims; each gets a run of its own.

    Raises:
        StoreUnavailable: the rows may have been claimed; their leases lapse.
    """
    values = bind_attempts(attempts) | {"lease": terms.lease.total_seconds(), "prefix": terms.prefix}
    async with acquire(engine) as connection:
        return read_claims((await connection.execute(_RECLAIM, values)).all())


_EXPIRE = text(f"""
    WITH over AS MATERIALIZED (
        -- The first rows whose time has run out, and of which nothing can have been accepted.
        SELECT n.id FROM notify.ent_notification n
        WHERE n.notification_status IN ('PENDING', 'FAILED') AND n.expires_at <= now()
            AND n.unknown_outcomes = 0 AND NOT EXISTS (
                SELECT FROM notify.ent_notification_delivery d
                WHERE d.notification_id = n.id AND d.outcome IN ('accepted', 'unknown'))
        ORDER BY n.expires_at, n.id
        LIMIT {EXPIRE_AT_ONCE}
        FOR UPDATE OF n SKIP LOCKED
    )
    UPDATE notify.ent_notification AS n SET
        notification_status = 'RETRACTED', retraction_reason = 'expired', retracted_at = clock_timestamp()
    FROM over WHERE n.id = over.id
    RETURNING n.id, n.notification_status""")  # noqa: S608 - the limit is a literal, for generic plans


async def expire(engine: Engine) -> dict[int, Status]:
    """Write PENDING or FAILED → RETRACTED, reason `expired`, unless something may have been accepted already.

    At most `EXPIRE_AT_ONCE` rows move.

    Raises:
        StoreUnavailable: nothing may have been written.
    """
    return await move(engine, _EXPIRE, {})


_RECORD_CANCEL_ANSWER = text("""
    WITH answers AS (
        -- Novu's answers, by notification.
        SELECT * FROM unnest(CAST(:ids AS bigint[]), CAST(:answers AS text[])) AS answers (id, answer)
    ), locked AS MATERIALIZED (
        -- The withdrawn rows that have no answer yet.
        SELECT n.id, answers.answer FROM notify.ent_notification n JOIN answers USING (id)
        WHERE n.notification_status = 'SENT' AND n.retract_requested_at IS NOT NULL
            -- A replica that later hears that nothing is left does not know what the other has cancelled.
            AND (n.error_details IS NULL OR answers.answer = 'cancelled')
        ORDER BY n.id
        FOR UPDATE OF n
    )
    UPDATE notify.ent_notification AS n SET error_details = jsonb_build_object('cancel', locked.answer)
    FROM locked WHERE n.id = locked.id
    RETURNING n.id, n.notification_status""")


async def record_cancel_answer(engine: Engine, answers: Mapping[int, str]) -> dict[int, Status]:
    """Write SENT → SENT: Novu's answer to a cancel stands beside the state, which stays true.

    Args:
        answers: the word that the row keeps, by notification id; the first answer stands.

    Raises:
        StoreUnavailable: nothing may have been written; Novu is asked again.
    """
    return await move(
        engine, _RECORD_CANCEL_ANSWER, {"ids": list(answers), "answers": list(answers.values())}
    )


class LostAttempt(NamedTuple):
    """An attempt of which its run has heard no more.

    Attributes:
        attempt: the right to write.
        wait: time to the next attempt.
        counted: whether it brings the notification nearer to DEAD.
        died: the sender may have died, so that a send which nobody ended is a lapse. It did not if only its
            database was away.
    """

    attempt: Attempt
    wait: timedelta
    counted: bool
    died: bool


_RECORD_LOST_CONTACT = text("""
    WITH requested AS (
        -- The attempts of the caller.
        SELECT * FROM unnest(
            CAST(:ids AS bigint[]), CAST(:attempts AS int[]),
            CAST(:waits AS float8[]), CAST(:counted AS bool[]), CAST(:died AS bool[])
        ) AS requested (id, attempt, wait, counted, died)
    ), locked AS MATERIALIZED (
        -- The rows that are still at that attempt, and that nobody is sending.
        SELECT n.id, requested.wait, requested.counted, requested.died, n.send_until IS NOT NULL AS was_sending,
            -- What is withdrawn is not given up, for Novu has to be asked to cancel it.
            requested.counted AND n.failure_count + 1 >= :max_failures AND n.retract_requested_at IS NULL AS is_last
        FROM notify.ent_notification n JOIN requested ON n.id = requested.id
        WHERE n.attempt = requested.attempt AND n.notification_status = 'PROCESSING'
            AND (n.send_until IS NULL OR n.send_until < clock_timestamp())
        ORDER BY n.id
        FOR UPDATE OF n
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
    RETURNING n.id, n.notification_status""")


async def record_lost_contact(
    engine: Engine, lost: Sequence[LostAttempt], *, error: ErrorDetails, max_failures: int
) -> dict[int, Status]:
    """Write PROCESSING → FAILED, or DEAD with the counted failure that reaches `max_failures`.

    Rows with a live send are not touched: their sender may still record it.

    Raises:
        StoreUnavailable: nothing may have been written.
    """
    values = bind_attempts([one.attempt for one in lost]) | {
        "waits": [one.wait.total_seconds() for one in lost],
        "counted": [one.counted for one in lost],
        "died": [one.died for one in lost],
        "error": json.dumps(error.to_json()),
        "max_failures": max_failures,
    }
    return await move(engine, _RECORD_LOST_CONTACT, values)
