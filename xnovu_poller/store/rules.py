"""Read the rules, record their states, and find their problems."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text

from xnovu_poller.lifecycle import FireOutcome, RuleStatus, RuleTrigger
from xnovu_poller.store.engine import Engine, Tenant, Unreadable, acquire

LONGEST_CONFIG = 2048
"""The most bytes of a trigger_config that is read; a trigger refuses more in new rows."""


@dataclass(frozen=True, slots=True)
class Rule:
    """The row of a rule.

    Attributes:
        name: the first 255 characters.
        workflow_id: the row of the workflow of its notifications.
        config: when it fires; empty if it cannot be read.
        active: it is PUBLISH and not deactivated.
        status: None until the first reconciliation.
        error: why it has that status.
        done_for: the only time of a SCHEDULE rule, once it has fired for that time.
        last_fired_at: by the database's clock.
        updated_at: when its producer changed it: the version of the row.
        recent: that was within the last minute, by the database's clock.
        is_followed: its schedule follows this version of the row.
        too_long: its config has more than `LONGEST_CONFIG` bytes, and was not read.
        hourly_firings: for how many firings an hour it counts; None for none.
    """

    id: int
    enterprise_id: str
    name: str
    workflow_id: int
    trigger: RuleTrigger
    config: dict[str, Any]
    active: bool
    status: RuleStatus | None
    error: str | None
    done_for: datetime | None
    last_fired_at: datetime | None
    last_outcome: FireOutcome | None
    updated_at: datetime
    recent: bool = False
    is_followed: bool = False
    too_long: bool = False
    hourly_firings: int | None = None

    @property
    def config_fault(self) -> str | None:
        """Why its config could not be read, and what to write; None if it was read."""
        if self.too_long:
            return f"has more than {LONGEST_CONFIG} bytes; write several rules"
        if isinstance(self.config, Unreadable):
            return "is nested too deep or has a number that is too long; write it shorter"
        return None


@dataclass(frozen=True, slots=True)
class RuleState:
    """The state that a reconciliation found for a rule.

    Attributes:
        done_for: if None, the row keeps its value.
        followed_at: the version of the row that the schedule follows now; if None, the row keeps its value.
        hourly_firings: for how many firings an hour it counts; None unless it is or becomes SCHEDULED.
    """

    rule_id: int
    status: RuleStatus | None
    error: str | None = None
    done_for: datetime | None = None
    followed_at: datetime | None = None
    hourly_firings: int | None = None


@dataclass(frozen=True, slots=True)
class RuleProblem:
    """Why no notification of a rule could be sent, whenever it fires."""

    rule_id: int
    reason: str


_READ = text("""
    SELECT r.id, r.enterprise_id, left(r.name, 255) AS name, r.notification_workflow_id,
        r.trigger_type::text AS trigger_type, octet_length(r.trigger_config::text) > 2048 AS too_long,
        CASE WHEN octet_length(r.trigger_config::text) <= 2048 THEN r.trigger_config ELSE '{}' END AS trigger_config,
        r.publish_status = 'PUBLISH' AND NOT r.deactivated AS active, r.rule_status::text AS rule_status,
        r.rule_error, r.done_for, r.last_fired_at, r.last_outcome, r.updated_at,
        r.updated_at > clock_timestamp() - interval '1 minute' AS recent,
        r.followed_at IS NOT DISTINCT FROM r.updated_at AS is_followed, r.hourly_firings
    FROM notify.ent_notification_rule r
    WHERE (CAST(:ids AS bigint[]) IS NULL OR r.id = ANY (CAST(:ids AS bigint[])))
    ORDER BY r.id""")


async def _read(engine: Engine | Tenant, ids: list[int] | None) -> list[Rule]:
    async with acquire(engine) as connection:
        rows = await connection.execute(_READ, {"ids": ids})
        return [
            Rule(
                row.id,
                row.enterprise_id,
                row.name,
                row.notification_workflow_id,
                RuleTrigger(row.trigger_type),
                row.trigger_config,
                row.active,
                row.rule_status and RuleStatus(row.rule_status),
                row.rule_error,
                row.done_for,
                row.last_fired_at,
                row.last_outcome and FireOutcome(row.last_outcome),
                row.updated_at,
                row.recent,
                row.is_followed,
                row.too_long,
                row.hourly_firings,
            )
            for row in rows
        ]


async def read_all(engine: Engine) -> list[Rule]:
    """Read every rule, by id, in one statement, so that none is missed.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    return await _read(engine, None)


async def read_some(engine: Engine | Tenant, ids: Collection[int]) -> list[Rule]:
    """Read the rules of these ids that exist, by id.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    return await _read(engine, list(ids))


async def read(engine: Engine | Tenant, rule_id: int) -> Rule | None:
    """Read a rule; return None if it does not exist.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    found = await _read(engine, [rule_id])
    return found[0] if found else None


_RECORD_STATES = text("""
    WITH state AS (
        -- The new state of each rule.
        SELECT id, status::notify.rule_status AS status, error, done_for, followed_at, hourly
        FROM unnest(CAST(:ids AS bigint[]), CAST(:statuses AS text[]), CAST(:errors AS text[]),
            CAST(:dones AS timestamptz[]), CAST(:followed AS timestamptz[]), CAST(:hourly AS int[]))
            AS state (id, status, error, done_for, followed_at, hourly)
    ), changed AS MATERIALIZED (
        -- The rules whose row differs, locked; skip rows that somebody else holds until the next time.
        SELECT r.id, state.status, state.error, coalesce(state.done_for, r.done_for) AS done_for,
            coalesce(state.followed_at, r.followed_at) AS followed_at, state.hourly
        FROM notify.ent_notification_rule r JOIN state ON state.id = r.id
        WHERE (r.rule_status, r.rule_error, r.done_for, r.followed_at, r.hourly_firings) IS DISTINCT FROM
            (state.status, state.error, coalesce(state.done_for, r.done_for), coalesce(state.followed_at, r.followed_at),
            state.hourly)
        ORDER BY r.id
        FOR NO KEY UPDATE OF r SKIP LOCKED
    )
    UPDATE notify.ent_notification_rule AS r SET
        rule_status = changed.status, rule_error = changed.error, done_for = changed.done_for,
        followed_at = changed.followed_at, hourly_firings = changed.hourly
    FROM changed WHERE r.id = changed.id
    RETURNING r.id""")


async def record_states(engine: Engine, states: Sequence[RuleState]) -> set[int]:
    """Record the states of rules whose row differs.

    A rule that somebody holds is skipped until the next time, so one tenant's open transaction cannot delay the others.

    Returns:
        The rules whose rows changed.

    Raises:
        StoreUnavailable: nothing may have been written.
    """
    values = {
        "ids": [state.rule_id for state in states],
        "statuses": [state.status and state.status.value for state in states],
        "errors": [state.error for state in states],
        "dones": [state.done_for for state in states],
        "followed": [state.followed_at for state in states],
        "hourly": [state.hourly_firings for state in states],
    }
    async with acquire(engine) as connection:
        return set(await connection.scalars(_RECORD_STATES, values))


_SET_DEACTIVATED = text("""
    UPDATE notify.ent_notification_rule SET deactivated = :deactivated WHERE id = :rule_id""")


async def set_deactivated(engine: Engine, rule_id: int, *, deactivated: bool) -> bool:
    """Deactivate a rule, or activate it again; return whether it exists.

    Raises:
        StoreUnavailable: it may not have been written.
    """
    async with acquire(engine) as connection:
        changed = await connection.execute(_SET_DEACTIVATED, {"rule_id": rule_id, "deactivated": deactivated})
        return changed.rowcount > 0


_FIND_PROBLEMS = text("""
    SELECT r.id, problem.reason
    FROM notify.ent_notification_rule r
    JOIN notify.ent_notification_workflow w ON w.id = r.notification_workflow_id
    LEFT JOIN LATERAL (
        -- The fault of the recipients, if they are a list of texts.
        SELECT true AS is_list, read.fault
        FROM (
            SELECT array_agg(recipient.value #>> '{}' ORDER BY recipient.position) AS given
            FROM jsonb_array_elements(CASE jsonb_typeof(r.rule_payload -> 'recipients')
                WHEN 'array' THEN r.rule_payload -> 'recipients' ELSE '[]' END)
                WITH ORDINALITY AS recipient (value, position)
            HAVING bool_and(jsonb_typeof(recipient.value) = 'string')
        ) AS listed, LATERAL notify.read_recipients(listed.given) AS read
    ) AS named ON true
    CROSS JOIN LATERAL (VALUES
        (1, w.enterprise_id <> r.enterprise_id,
            'its workflow ' || w.id || ' belongs to another enterprise; choose one of its own, or a global one'),
        (2, w.publish_status <> 'PUBLISH', 'its workflow ' || w.id || ' is not published; publish it'),
        (3, w.deactivated, 'its workflow ' || w.id || ' is deactivated; activate it'),
        (4, r.rule_payload -> 'recipients' IS NULL,
            'rule_payload has no recipients; write {"recipients": ["a subscriber''s id"]}'),
        (5, r.rule_payload -> 'recipients' IS NOT NULL AND (named.is_list IS NULL OR named.fault IS NOT NULL),
            'rule_payload.recipients ' || coalesce(named.fault, 'is not a list of texts')
            || '; write a list of subscriber ids or topic:KEY')
    ) AS problem (number, applies, reason)
    WHERE problem.applies AND (CAST(:ids AS bigint[]) IS NULL OR r.id = ANY (CAST(:ids AS bigint[])))
    ORDER BY r.id, problem.number""")


async def find_problems(engine: Engine, ids: Collection[int] | None) -> list[RuleProblem]:
    """Find the rules whose notifications could not be sent, by rule.

    Args:
        ids: the rules to look at; None for all.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        rows = await connection.execute(_FIND_PROBLEMS, {"ids": None if ids is None else list(ids)})
        return [RuleProblem(row.id, row.reason) for row in rows]
