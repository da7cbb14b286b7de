"""The arrow to a send: hold the notification, which is also the fetch of all that the send needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from xnovu_poller.lifecycle import Attempt, Channel, Hold, seconds
from xnovu_poller.store.engine import Engine, acquire
from xnovu_poller.store.notifications.arrow import bind_works

SEND_MARGIN = timedelta(seconds=5)
"""A live send outlasts the deadline of its call by this much."""


@dataclass(frozen=True, slots=True)
class Held:
    """A notification that is ours to send, with all that the send needs.

    Attributes:
        hold: the right to send and to record.
        enterprise_id: the tenant.
        workflow_id: the row of its workflow, None if it names none.
        workflow_version: changes with that row.
        transaction_id: Novu drops a repeat of it.
        payload: what the producer wrote.
        recipients: as the producer wrote them, repeats included.
        channels: None for the workflow's own.
        overrides: handed to Novu as they are.
        refusals: definite answers so far that were no acceptance.
        unknown_outcomes: sends so far that may have been accepted.
        lapses: sends so far whose sender died.
        failure_count: failed attempts so far that count.
        withdrawn: its retraction was asked for.
        expired: its `expires_at` has passed.
        due_at: when it became due; never later than now, whatever its producer writes meanwhile.
    """

    hold: Hold
    enterprise_id: str
    workflow_id: int | None
    workflow_version: datetime | None
    transaction_id: str
    payload: dict[str, Any]
    recipients: list[str]
    channels: list[Channel] | None
    overrides: dict[str, Any] | None
    refusals: int
    unknown_outcomes: int
    lapses: int
    failure_count: int
    withdrawn: bool
    expired: bool
    due_at: datetime


@dataclass(frozen=True, slots=True)
class HoldResult:
    """What a hold found; work that is in none of the three is late.

    Attributes:
        held: ours to send.
        alone: has lapsed before and must be held by itself.
        live: somebody is sending it; try again after `patience`.
        patience: until the last of the live sends has passed.
    """

    held: list[Held]
    alone: list[Attempt]
    live: list[Attempt]
    patience: timedelta


async def hold(
    engine: Engine, works: Sequence[Attempt], *, deadline: timedelta, lease: timedelta, alone: bool = False
) -> HoldResult:
    """PROCESSING → PROCESSING: take the sole right to send, for a moment; this is also the fetch.

    A `send_until` that lies in the past was cleared by nobody: its sender died. That is a lapse, and
    its outcome is unknown.

    Args:
        engine: where the rows are.
        works: what is to be sent.
        deadline: total time of the send to come; the hold outlasts it by `SEND_MARGIN`.
        lease: how long the row stays ours, counted from now.
        alone: whether notifications that have lapsed are held too.

    Raises:
        StoreUnavailable: PostgreSQL does not answer; the rows may be held, and then lapse.
    """
    values = bind_works(works) | {
        "send": seconds(deadline + SEND_MARGIN),
        "lease": seconds(lease),
        "alone": alone,
    }
    async with acquire(engine) as connection:
        rows = (await connection.execute(_HOLD, values)).all()
    live = [row for row in rows if row.live > 0]
    return HoldResult(
        held=[_held(row) for row in rows if row.send_until is not None],
        alone=[Attempt(row.id, row.attempt) for row in rows if row.send_until is None and row.live <= 0],
        live=[Attempt(row.id, row.attempt) for row in live],
        patience=timedelta(seconds=max((row.live for row in live), default=0.0)),
    )


def _held(row: Any) -> Held:  # noqa: ANN401 - a row of a text statement has no type
    return Held(
        hold=Hold(row.id, row.attempt, row.send_until),
        enterprise_id=row.enterprise_id,
        workflow_id=row.notification_workflow_id,
        workflow_version=row.workflow_version,
        transaction_id=row.transaction_id,
        payload=row.payload,
        recipients=row.recipients,
        channels=None if row.channels is None else [Channel(name) for name in row.channels],
        overrides=row.overrides,
        refusals=row.refusals,
        unknown_outcomes=row.unknown_outcomes,
        lapses=row.lapses,
        failure_count=row.failure_count,
        withdrawn=row.retract_requested_at is not None,
        expired=row.expired,
        due_at=row.due_at,
    )


_HOLD = text("""
    WITH asked AS (
        SELECT DISTINCT * FROM unnest(CAST(:ids AS bigint[]), CAST(:attempts AS int[])) AS asked (id, attempt)
    ), mine AS MATERIALIZED (
        SELECT n.id, n.attempt, n.send_until, n.lapses
        FROM notify.ent_notification n JOIN asked ON n.id = asked.id AND n.attempt = asked.attempt
        WHERE n.notification_status = 'PROCESSING'
        ORDER BY n.id
        FOR UPDATE OF n
    ), held AS (
        UPDATE notify.ent_notification AS n SET
            send_until = clock_timestamp() + make_interval(secs => :send),
            lease_expires_at = clock_timestamp() + make_interval(secs => :lease),
            lapses = n.lapses + (mine.send_until IS NOT NULL)::int,
            unknown_outcomes = n.unknown_outcomes + (mine.send_until IS NOT NULL)::int
        FROM mine
        WHERE n.id = mine.id AND (mine.send_until IS NULL OR mine.send_until < clock_timestamp())
            AND (:alone OR mine.send_until IS NULL AND mine.lapses = 0)
        RETURNING n.*
    )
    SELECT mine.id, mine.attempt, held.send_until, held.enterprise_id, held.notification_workflow_id,
        held.transaction_id, held.payload, held.recipients, held.channels::text[] AS channels, held.overrides,
        held.refusals, held.unknown_outcomes, held.lapses, held.failure_count, held.retract_requested_at,
        coalesce(held.expires_at <= clock_timestamp(), false) AS expired,
        least(greatest(held.created_at, held.scheduled_for), clock_timestamp()) AS due_at, w.updated_at AS workflow_version,
        CASE WHEN held.id IS NULL
            THEN coalesce(extract(epoch FROM mine.send_until - clock_timestamp()), 0) ELSE 0 END::float8 AS live
    FROM mine
    LEFT JOIN held ON held.id = mine.id
    LEFT JOIN notify.ent_notification_workflow w ON w.id = held.notification_workflow_id
    ORDER BY mine.id""")
