"""The arrow before a send: hold notifications, and read their rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from xnovu_poller.lifecycle import Attempt, Channel, Hold
from xnovu_poller.store.engine import Engine, acquire
from xnovu_poller.store.notifications.arrow import bind_attempts

SEND_MARGIN = timedelta(seconds=5)
"""A hold outlasts the deadline of its call by this much."""


@dataclass(frozen=True, slots=True)
class Held:
    """A notification that we hold, with all that its send needs.

    Attributes:
        hold: the right to send and to record.
        workflow_id: the row of its workflow; None if it has none.
        workflow_version: changes with that row.
        transaction_id: Novu drops a repeat of it.
        recipients: as the producer wrote them, repeats included.
        channels: None for the workflow's channels.
        overrides: sent to Novu unchanged.
        refusals: how many definite answers so far were not an acceptance.
        unknown_outcomes: how many sends so far Novu may have accepted.
        lapses: how many senders so far died during a send.
        failure_count: how many failed attempts so far count.
        withdrawn: its producer requested a retraction.
        expired: its `expires_at` has passed.
        due_at: when it became due; never in the future, even if its producer has postponed it since.
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

    @property
    def unique_recipients(self) -> tuple[str, ...]:
        """The recipients, each once, in the producer's order."""
        return tuple(dict.fromkeys(self.recipients))


@dataclass(frozen=True, slots=True)
class HoldResult:
    """The result of `hold`; an attempt in none of the three lists is late.

    Attributes:
        held: we may send them.
        lapsed: their sender died before, so each must be held by itself.
        live: another process is sending them; try again after `patience`.
        patience: how long until the last of the live sends has passed.
    """

    held: list[Held]
    lapsed: list[Attempt]
    live: list[Attempt]
    patience: timedelta


_HOLD = text("""
    WITH requested AS (
        -- The attempts of the caller, each once.
        SELECT DISTINCT * FROM unnest(CAST(:ids AS bigint[]), CAST(:attempts AS int[])) AS requested (id, attempt)
    ), locked AS MATERIALIZED (
        -- The rows that are still at that attempt; the others are late.
        SELECT n.id, n.attempt, n.send_until, n.lapses
        FROM notify.ent_notification n JOIN requested ON n.id = requested.id AND n.attempt = requested.attempt
        WHERE n.notification_status = 'PROCESSING'
        ORDER BY n.id
        FOR UPDATE OF n
    ), held AS (
        -- The rows that nobody is sending. A past `send_until` that nobody cleared is a lapse: its sender died.
        UPDATE notify.ent_notification AS n SET
            send_until = clock_timestamp() + make_interval(secs => :send),
            lease_expires_at = clock_timestamp() + make_interval(secs => :lease),
            lapses = n.lapses + (locked.send_until IS NOT NULL)::int,
            unknown_outcomes = n.unknown_outcomes + (locked.send_until IS NOT NULL)::int
        FROM locked
        WHERE n.id = locked.id AND (locked.send_until IS NULL OR locked.send_until < clock_timestamp())
            AND (:with_lapsed OR locked.send_until IS NULL AND locked.lapses = 0)
        RETURNING n.*
    )
    SELECT locked.id, locked.attempt, held.send_until, held.enterprise_id, held.notification_workflow_id,
        held.transaction_id, held.payload, held.recipients, held.channels::text[] AS channels, held.overrides,
        held.refusals, held.unknown_outcomes, held.lapses, held.failure_count, held.retract_requested_at,
        coalesce(held.expires_at <= clock_timestamp(), false) AS expired,
        least(greatest(held.created_at, held.scheduled_for), clock_timestamp()) AS due_at, w.updated_at AS workflow_version,
        -- For how many more seconds another process may be sending.
        CASE WHEN held.id IS NULL
            THEN coalesce(extract(epoch FROM locked.send_until - clock_timestamp()), 0) ELSE 0 END::float8 AS live
    FROM locked
    LEFT JOIN held ON held.id = locked.id
    LEFT JOIN notify.ent_notification_workflow w ON w.id = held.notification_workflow_id
    ORDER BY locked.id""")


async def hold(
    engine: Engine,
    attempts: Sequence[Attempt],
    *,
    deadline: timedelta,
    lease: timedelta,
    with_lapsed: bool = False,
) -> HoldResult:
    """Write PROCESSING → PROCESSING: take the sole right to send for a moment, and read the rows.

    If `send_until` is in the past and nobody cleared it, the sender died. That is a lapse with an unknown outcome.

    Args:
        deadline: total time of the send; the hold outlasts it by `SEND_MARGIN`.
        lease: how long the row stays leased, from now.
        with_lapsed: also hold rows whose sender died before.

    Raises:
        StoreUnavailable: PostgreSQL does not answer; the rows may be held, and then lapse.
    """
    values = bind_attempts(attempts) | {
        "send": (deadline + SEND_MARGIN).total_seconds(),
        "lease": lease.total_seconds(),
        "with_lapsed": with_lapsed,
    }
    async with acquire(engine) as connection:
        rows = (await connection.execute(_HOLD, values)).all()
    live = [row for row in rows if row.live > 0]
    return HoldResult(
        held=[_held(row) for row in rows if row.send_until is not None],
        lapsed=[Attempt(row.id, row.attempt) for row in rows if row.send_until is None and row.live <= 0],
        live=[Attempt(row.id, row.attempt) for row in live],
        patience=timedelta(seconds=max((row.live for row in live), default=0.0)),
    )


def _held(row: Any) -> Held:  # noqa: ANN401 - a row of a text statement has no type
    return Held(
        hold=Hold(Attempt(row.id, row.attempt), row.send_until),
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
