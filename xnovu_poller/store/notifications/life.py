"""Read all that PostgreSQL knows of one notification's life, for its story. No recipient and no value of the payload is read."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text

from xnovu_poller.incidents import IncidentKind
from xnovu_poller.lifecycle import PublishStatus, Status
from xnovu_poller.store.engine import Engine, Tenant, acquire
from xnovu_poller.store.notifications.arrow import LIVE
from xnovu_poller.store.pauses import HOLDS

_KINDS = frozenset(IncidentKind)


@dataclass(frozen=True, slots=True)
class Incident:
    """What left the straight way.

    Attributes:
        kind: a text if it is of a newer version.
        code: the code of the error, or Novu's answer to a cancel.
        worker: the process that did it; None if it was none of ours.
        login: the login of its session.
        times: how many such incidents it stands for, the first at `happened_at` and the last at `last_at`.
    """

    kind: IncidentKind | str
    happened_at: datetime
    attempt: int
    code: str | None
    worker: str | None
    login: str
    times: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class ChunkLife:
    """A chunk of a notification that needs several calls to Novu; `recipients` is their number."""

    number: int
    transaction_id: str
    recipients: int
    outcome: str | None
    refusals: int
    code: str | None
    answered_at: datetime | None


@dataclass(frozen=True, slots=True)
class PauseOf:
    """The pause that holds a notification back; `ends_at` is None if a person ends it."""

    reason: str
    paused_by: str
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class Life:
    """A notification, its chunks and incidents, and what its next step depends on.

    Attributes:
        now: the database's clock.
        recipients: their number.
        workflow_key: None if the row has no workflow.
        is_live: a call to Novu is under way.
        error: `error_details`.
        workers: how many sessions of workers are connected to the database.
        rate: the limit of its enterprise in notifications a second; None for no limit.
        most_in_flight: the limit of its enterprise in flight; None for no limit.
        in_flight: how many notifications of its enterprise are in flight, counted up to a thousand.
        pause: the widest that concerns it; None if nothing is paused.
    """

    now: datetime
    id: int
    enterprise_id: str
    status: Status
    publish_status: PublishStatus
    deactivated: bool
    recipients: int
    workflow_key: str | None
    rule_id: int | None
    created_at: datetime
    created_by: str
    fired_at: datetime | None
    scheduled_for: datetime | None
    expires_at: datetime | None
    transaction_id: str
    attempt: int
    failure_count: int
    refusals: int
    unknown_outcomes: int
    lapses: int
    claimed_at: datetime | None
    lease_expires_at: datetime | None
    send_until: datetime | None
    is_live: bool
    next_attempt_at: datetime | None
    retract_requested_at: datetime | None
    retracted_at: datetime | None
    retraction_reason: str | None
    processed_at: datetime | None
    run_id: str | None
    error: Mapping[str, Any]
    workers: int
    rate: float | None
    most_in_flight: int | None
    in_flight: int
    pause: PauseOf | None
    chunks: list[ChunkLife]
    incidents: list[Incident]

    @property
    def due_at(self) -> datetime:
        """When it first came due."""
        return max(self.created_at, self.scheduled_for or self.created_at)

    @property
    def code(self) -> str | None:
        """The code of its last error."""
        code = self.error.get("code")
        return code if isinstance(code, str) else None

    @property
    def message(self) -> str | None:
        """The sentence of its last error."""
        message = self.error.get("message")
        return message if isinstance(message, str) else None

    @property
    def last_incident(self) -> Incident | None:
        """What left the straight way last."""
        return max(self.incidents, key=lambda incident: incident.last_at, default=None)


# Python cannot represent every time that a producer may write.
_READ = text(f"""
    SELECT clock_timestamp() AS now, n.id, n.enterprise_id, n.notification_status::text AS status,
        n.publish_status::text AS publish_status, n.deactivated, cardinality(n.recipients) AS recipients,
        (SELECT w.workflow_key FROM notify.ent_notification_workflow w WHERE w.id = n.notification_workflow_id)
            AS workflow_key,
        n.notification_rule_id AS rule_id, n.created_at, n.created_by, n.fired_at,
        CASE WHEN n.scheduled_for IS NOT NULL THEN greatest(least(n.scheduled_for, '9000-01-01Z'), '0100-01-01Z') END AS scheduled_for,
        CASE WHEN n.expires_at IS NOT NULL THEN greatest(least(n.expires_at, '9000-01-01Z'), '0100-01-01Z') END AS expires_at,
        n.transaction_id, n.attempt, n.failure_count, n.refusals, n.unknown_outcomes, n.lapses, n.claimed_at,
        n.lease_expires_at, n.send_until, coalesce({LIVE}, false) AS is_live, n.next_attempt_at,
        n.retract_requested_at, n.retracted_at, n.retraction_reason, n.processed_at, n.temporal_workflow_id AS run_id,
        CASE jsonb_typeof(n.error_details) WHEN 'object' THEN n.error_details ELSE '{{}}' END AS error,
        (SELECT CAST(count(*) AS int) FROM pg_stat_activity s
            WHERE s.datname = current_database() AND s.application_name = 'xnovu:worker') AS workers,
        (SELECT CAST(l.rate AS float8) FROM notify.ent_enterprise_limit l WHERE l.enterprise_id = n.enterprise_id) AS rate,
        (SELECT l.in_flight FROM notify.ent_enterprise_limit l WHERE l.enterprise_id = n.enterprise_id) AS most_in_flight,
        (SELECT CAST(count(*) AS int) FROM (
            SELECT FROM notify.ent_notification f
            WHERE f.notification_status = 'PROCESSING' AND f.enterprise_id = n.enterprise_id LIMIT 1000
        ) AS flying) AS in_flight,
        (SELECT jsonb_build_array(p.reason, p.paused_by, CASE WHEN p.ends_at < '9000-01-01Z' THEN p.ends_at END) FROM notify.pause p
            WHERE {HOLDS} AND (p.enterprise_id IS NULL OR p.enterprise_id = n.enterprise_id)
                -- While a workflow is paused, rows without a workflow wait too.
                AND coalesce(p.workflow_key = (
                    SELECT w.workflow_key FROM notify.ent_notification_workflow w WHERE w.id = n.notification_workflow_id), true)
            ORDER BY p.workflow_key IS NOT NULL, p.enterprise_id IS NOT NULL LIMIT 1) AS pause,
        coalesce((SELECT jsonb_agg(jsonb_build_array(d.chunk, d.transaction_id, cardinality(d.recipients), d.outcome,
                d.refusals, d.error_details ->> 'code', d.answered_at) ORDER BY d.chunk)
            FROM notify.ent_notification_delivery d WHERE d.notification_id = n.id), '[]') AS chunks,
        coalesce((SELECT jsonb_agg(jsonb_build_array(e.arrow, e.happened_at, e.attempt, e.code, e.worker, e.login,
                e.times, e.last_at) ORDER BY e.number)
            FROM notify.ent_notification_event e WHERE e.notification_id = n.id), '[]') AS incidents
    FROM notify.ent_notification n WHERE n.id = :id""")  # noqa: S608 - the conditions are constants

_WAS_THERE = text("""
    SELECT :id <= CASE WHEN counter.is_called THEN counter.last_value ELSE 0 END
    FROM notify.ent_notification_id_seq AS counter""")


async def read_life(engine: Engine | Tenant, notification_id: int) -> Life | None:
    """Read the life of a notification; return None if there is none of this id.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        found = (await connection.execute(_READ, {"id": notification_id})).mappings().one_or_none()
    if found is None:
        return None
    values = dict(found)
    return Life(
        **values
        | {
            "status": Status(values["status"]),
            "publish_status": PublishStatus(values["publish_status"]),
            "pause": values["pause"] and _pause(*values["pause"]),
            "chunks": [_chunk(*chunk) for chunk in values["chunks"]],
            "incidents": [_incident(*incident) for incident in values["incidents"]],
        }
    )


async def was_used(engine: Engine, notification_id: int) -> bool:
    """Return whether an id was ever given to a notification.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        return bool(await connection.scalar(_WAS_THERE, {"id": notification_id}))


def _chunk(number: int, transaction_id: str, recipients: int, *answer: Any) -> ChunkLife:  # noqa: ANN401 - JSON
    outcome, refusals, code, answered_at = answer
    return ChunkLife(
        number,
        transaction_id,
        recipients,
        outcome,
        refusals,
        code,
        answered_at and datetime.fromisoformat(answered_at),
    )


def _pause(reason: str, paused_by: str, ends_at: str | None) -> PauseOf:
    return PauseOf(reason, paused_by, datetime.fromisoformat(ends_at) if ends_at else None)


def _incident(kind: str, happened_at: str, attempt: int, *rest: Any) -> Incident:  # noqa: ANN401 - JSON
    code, worker, login, times, last_at = rest
    return Incident(
        IncidentKind(kind) if kind in _KINDS else kind,
        datetime.fromisoformat(happened_at),
        attempt,
        code,
        worker,
        login,
        times,
        datetime.fromisoformat(last_at),
    )
