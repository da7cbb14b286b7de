"""The arrow before a send: hold notifications, and read their rows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from xnovu_poller.facts import describe
from xnovu_poller.lifecycle import Attempt, Channel, Hold
from xnovu_poller.store.engine import Engine, query
from xnovu_poller.store.notifications.arrow import LIVE, bind_attempts, read_rightful

MOST_BYTES = 24 << 20
"""The heaviest notification that is read: all that Novu gets of it, as text. The bounds at the insert are lower; a row that is older
than they are, or that an administrator wrote past them, must not take our memory."""

_HEAVY = ("payload", "recipients", "overrides", "context", "exclude", "subscribers")
_STORED = " + ".join(f"coalesce(pg_column_size(n.{column}), 0)" for column in _HEAVY)
_TEXT = " + ".join(f"coalesce(octet_length(n.{column}::text), 0)" for column in _HEAVY)
_COMPRESSED = ", ".join(f"pg_column_compression(n.{column})" for column in _HEAVY)
# As text, a character takes six bytes at most. PostgreSQL compresses a value to no less than about a hundredth. A small
# compressed value is unpacked and measured, because an estimate would leave no room for others.
_AT_MOST = f"""CAST(CASE
            WHEN num_nonnulls({_COMPRESSED}) = 0 THEN 6 * CAST({_STORED} AS bigint)
            WHEN {_STORED} <= 4096 THEN {_TEXT}
            ELSE 100 * CAST({_STORED} AS bigint) END AS bigint)"""

SEND_MARGIN = timedelta(seconds=5)
"""A hold outlasts the deadline of its call by this much."""


@dataclass(slots=True)  # not frozen: ADR 12
class Held:
    """A notification that we hold, with all that its send needs.

    Attributes:
        hold: the right to send and to record.
        workflow_id: the row of its workflow; None if it has none.
        workflow_version: changes with that row.
        enterprise_version: changes with the row of its enterprise; None if it has none.
        transaction_id: Novu drops a repeat of it.
        payload: the JSON text of the values.
        recipients: as the producer wrote them, repeats included.
        channels: None for the workflow's channels.
        overrides: the JSON text, of which only texts with expressions change.
        locale: the language of its texts; None for its enterprise's.
        time_zone: the zone of the times in its texts; None for its enterprise's.
        actor: the subscriber who caused it.
        context: the JSON text of contexts for Novu.
        exclude: the subscribers that topics do not reach.
        subscribers: the JSON text of profiles by recipient.
        push_apart: it has PUSH, and chunks of an earlier try; whether PUSH has its own. None if there are none.
        refusals: how many definite answers so far were not an acceptance.
        unknown_outcomes: how many sends so far Novu may have accepted.
        lapses: how many senders so far died during a send.
        failure_count: how many failed attempts so far count.
        withdrawn: its producer requested a retraction.
        expired: its `expires_at` has passed.
        due_at: when it became due; never in the future, even if its producer has postponed it since.
        fired_at: the time for which its rule fired; None if no rule made it.
        run_id: the run in Temporal that delivers it; only for the log.
        workflow_key: Novu's name of its workflow as the hold read it; only for the log.
        weight: the bytes of all that Novu gets of it; above `MOST_BYTES` none of them was read.
    """

    hold: Hold
    name: str
    enterprise_id: str
    workflow_id: int | None
    workflow_version: datetime | None
    transaction_id: str
    payload: bytes
    recipients: list[str]
    channels: list[Channel] | None
    overrides: bytes | None
    refusals: int
    unknown_outcomes: int
    lapses: int
    failure_count: int
    withdrawn: bool
    expired: bool
    due_at: datetime
    weight: int = 0
    scheduled_for: datetime | None = None
    fired_at: datetime | None = None
    locale: str | None = None
    time_zone: str | None = None
    actor: str | None = None
    context: bytes | None = None
    exclude: list[str] | None = None
    subscribers: bytes | None = None
    push_apart: bool | None = None
    run_id: str | None = None
    workflow_key: str | None = None
    enterprise_version: datetime | None = None

    @property
    def facts(self) -> dict[str, object]:
        """The fields of a log line about it."""
        return describe(
            self.hold.attempt, self.enterprise_id, self.workflow_key, self.run_id, self.transaction_id
        )

    @property
    def unique_recipients(self) -> tuple[str, ...]:
        """The recipients, each once, in the producer's order."""
        return tuple(dict.fromkeys(self.recipients))


@dataclass(frozen=True, slots=True)
class HoldResult:
    """The result of `hold`; an attempt in none of the lists is late.

    It holds the lightest first, as far as there is room.

    Attributes:
        held: we may send them.
        lapsed: their sender died before, so each must be held by itself.
        live: another process is sending them; try again after `patience`.
        patience: how long until the last of the live sends has passed.
        locked: another session has locked their rows; try again later.
        heavy: there was no room for them; the most that each may weigh, lightest first.
    """

    held: list[Held]
    lapsed: list[Attempt]
    live: list[Attempt]
    patience: timedelta
    locked: list[Attempt] = field(default_factory=list)
    heavy: dict[Attempt, int] = field(default_factory=dict)


_HOLD = text(f"""
    WITH requested AS (
        -- The attempts of the caller, each once.
        SELECT DISTINCT * FROM unnest(CAST(:ids AS bigint[]), CAST(:attempts AS int[])) AS requested (id, attempt)
    ), locked AS MATERIALIZED (
        -- The rows that are still at that attempt; the others are late, or locked by another session.
        SELECT n.id, n.attempt, n.send_until, n.lapses, coalesce({LIVE}, false) AS is_live,
            {_STORED} AS stored, {_AT_MOST} AS most_bytes
        FROM notify.ent_notification n JOIN requested ON n.id = requested.id AND n.attempt = requested.attempt
        WHERE n.notification_status BETWEEN 'PROCESSING' AND 'PROCESSING'
        ORDER BY n.id
        FOR NO KEY UPDATE OF n SKIP LOCKED
    ), weighed AS MATERIALIZED (
        -- Whether there is room for each row, the lightest first.
        SELECT locked.*, CAST(:room AS bigint) IS NULL
            OR sum(most_bytes) OVER (ORDER BY most_bytes, locked.id) <= CAST(:room AS bigint) AS fits
        FROM locked
    ), held AS (
        -- The rows that nobody is sending. A `send_until` that is over and that nobody cleared is a lapse: its sender died.
        UPDATE notify.ent_notification AS n SET
            send_until = clock_timestamp() + make_interval(secs => :send),
            updated_at = clock_timestamp(),
            lapses = n.lapses + (locked.send_until IS NOT NULL)::int,
            unknown_outcomes = n.unknown_outcomes + (locked.send_until IS NOT NULL)::int
        FROM weighed AS locked
        WHERE n.id = locked.id AND NOT locked.is_live AND locked.fits
            AND (:with_lapsed OR locked.send_until IS NULL AND locked.lapses = 0)
        RETURNING n.*,
            -- Only a row that may be too large is read for its exact weight.
            CASE WHEN locked.most_bytes <= {MOST_BYTES} THEN locked.most_bytes
                WHEN locked.stored > {MOST_BYTES} THEN CAST(locked.stored AS bigint)
                ELSE {_TEXT} END AS weight
    )
    SELECT locked.id, locked.attempt, held.send_until, held.name, held.enterprise_id, held.notification_workflow_id,
        held.transaction_id, held.channels::text[] AS channels, held.weight,
        CASE WHEN held.weight <= {MOST_BYTES} THEN convert_to(held.payload::text, 'UTF8') ELSE '{{}}' END AS payload,
        CASE WHEN held.weight <= {MOST_BYTES} THEN held.recipients ELSE '{{}}' END AS recipients,
        CASE WHEN held.weight <= {MOST_BYTES} THEN convert_to(held.overrides::text, 'UTF8') END AS overrides,
        CASE WHEN held.weight <= {MOST_BYTES} THEN convert_to(held.context::text, 'UTF8') END AS context,
        CASE WHEN held.weight <= {MOST_BYTES} THEN held.exclude END AS exclude,
        CASE WHEN held.weight <= {MOST_BYTES} THEN convert_to(held.subscribers::text, 'UTF8') END AS subscribers,
        held.locale, held.time_zone, held.actor, held.temporal_workflow_id, w.workflow_key,
        held.refusals, held.unknown_outcomes, held.lapses, held.failure_count, held.retract_requested_at,
        CASE WHEN held.scheduled_for BETWEEN '0100-01-01Z' AND '9000-01-01Z' THEN held.scheduled_for END AS scheduled_for,
        held.fired_at,
        -- Whether earlier tries sent PUSH by itself: the text may have become shorter since.
        CASE WHEN 'PUSH' = ANY (coalesce(held.channels, w.default_channels)) THEN (
            SELECT bool_or(d.transaction_id LIKE '%-push%') FROM notify.ent_notification_delivery d
            WHERE d.notification_id = held.id) END AS push_apart,
        coalesce(held.expires_at <= clock_timestamp(), false) AS expired,
        least(greatest(held.created_at, held.scheduled_for), clock_timestamp()) AS due_at,
        w.updated_at AS workflow_version, e.updated_at AS enterprise_version,
        -- For how many more seconds another process may be sending.
        CASE WHEN locked.is_live
            THEN greatest(extract(epoch FROM locked.send_until - clock_timestamp()), 0.001) ELSE 0 END::float8 AS live,
        CASE WHEN locked.send_until IS NULL AND locked.lapses = 0 AND NOT locked.fits THEN locked.most_bytes END AS heavy
    FROM weighed AS locked
    LEFT JOIN held ON held.id = locked.id
    LEFT JOIN notify.ent_notification_workflow w ON w.id = held.notification_workflow_id
    LEFT JOIN notify.ent_enterprise e ON e.enterprise_id = held.enterprise_id
    ORDER BY locked.id -- so that the planner merges the two lists, and does not compare each row with each
    """)  # noqa: S608 - the conditions are constants


async def hold(
    engine: Engine,
    attempts: Sequence[Attempt],
    *,
    deadline: timedelta,
    room: int | None = None,
    with_lapsed: bool = False,
) -> HoldResult:
    """Write PROCESSING → PROCESSING: take the sole right to send for a moment, and read the rows.

    The lease stays as it is, so that the write changes no index: a live send keeps the rescue out by itself. If
    `send_until` is in the past and nobody cleared it, the sender died. That is a lapse with an unknown outcome. Rows
    that another session has locked are not waited for.

    Args:
        deadline: total time of the send; the hold outlasts it by `SEND_MARGIN`.
        room: how many bytes may be read; None for any number.
        with_lapsed: also hold rows whose sender died before.

    Raises:
        StoreUnavailable: PostgreSQL does not answer; the rows may be held, and then lapse.
    """
    values = bind_attempts(attempts) | {
        "send": (deadline + SEND_MARGIN).total_seconds(),
        "room": room,
        "with_lapsed": with_lapsed,
    }
    rows = await query(engine, _HOLD, values)
    live = [row for row in rows if row.live > 0]
    seen = {row.id for row in rows}
    skipped = [attempt for attempt in dict.fromkeys(attempts) if attempt.notification_id not in seen]
    rightful = await read_rightful(engine, skipped) if skipped else set()
    return HoldResult(
        held=[_held(row) for row in rows if row.send_until is not None],
        lapsed=[
            Attempt(row.id, row.attempt)
            for row in rows
            if row.send_until is None and row.live <= 0 and row.heavy is None
        ],
        live=[Attempt(row.id, row.attempt) for row in live],
        patience=timedelta(seconds=max((row.live for row in live), default=0.0)),
        locked=[attempt for attempt in skipped if attempt.notification_id in rightful],
        heavy={
            Attempt(row.id, row.attempt): row.heavy
            for row in sorted((row for row in rows if row.heavy is not None), key=lambda row: row.heavy)
        },
    )


def _held(row: Any) -> Held:  # noqa: ANN401 - a row of a text statement has no type
    return Held(
        hold=Hold(Attempt(row.id, row.attempt), row.send_until),
        name=row.name,
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
        weight=row.weight,
        scheduled_for=row.scheduled_for,
        fired_at=row.fired_at,
        locale=row.locale,
        time_zone=row.time_zone,
        actor=row.actor,
        context=row.context,
        exclude=row.exclude,
        subscribers=row.subscribers,
        push_apart=row.push_apart,
        run_id=row.temporal_workflow_id,
        workflow_key=row.workflow_key,
        enterprise_version=row.enterprise_version,
    )
