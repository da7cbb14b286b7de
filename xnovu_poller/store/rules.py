"""Read the rules, record their states, and find their problems."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text

from xnovu_poller.lifecycle import FireOutcome, RuleStatus, RuleTrigger
from xnovu_poller.store.engine import Engine, acquire


@dataclass(frozen=True, slots=True)
class Rule:
    """The row of a rule.

    Attributes:
        name: the first 255 characters.
        workflow_id: the row of the workflow of its notifications.
        config: when it fires; empty if Python cannot read the JSON.
        active: it is PUBLISH and not deactivated.
        status: None until the first reconciliation.
        error: why it has that status.
        done_for: the only time of a SCHEDULE rule, once it has fired for that time.
        last_fired_at: by the database's clock.
        recent: its producer changed it within the last minute, by the database's clock.
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
    recent: bool = False


@dataclass(frozen=True, slots=True)
class RuleState:
    """The state that a reconciliation found for a rule; if `done_for` is None, the row keeps its value."""

    rule_id: int
    status: RuleStatus
    error: str | None = None
    done_for: datetime | None = None


@dataclass(frozen=True, slots=True)
class RuleProblem:
    """Why no notification of a rule could be sent, whenever it fires."""

    rule_id: int
    reason: str


_READ = text("""
    SELECT r.id, r.enterprise_id, left(r.name, 255) AS name, r.notification_workflow_id,
        r.trigger_type::text AS trigger_type, r.trigger_config,
        r.publish_status = 'PUBLISH' AND NOT r.deactivated AS active, r.rule_status::text AS rule_status,
        r.rule_error, r.done_for, r.last_fired_at, r.last_outcome,
        r.updated_at > clock_timestamp() - interval '1 minute' AS recent
    FROM notify.ent_notification_rule r
    WHERE (CAST(:ids AS bigint[]) IS NULL OR r.id = ANY (CAST(:ids AS bigint[])))
        AND (CAST(:after AS bigint) IS NULL OR r.id > CAST(:after AS bigint))
    ORDER BY r.id LIMIT CAST(:size AS bigint)""")


async def _read(
    engine: Engine, ids: list[int] | None, *, after: int | None = None, size: int | None = None
) -> list[Rule]:
    async with acquire(engine) as connection:
        rows = await connection.execute(_READ, {"ids": ids, "after": after, "size": size})
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
                row.recent,
            )
            for row in rows
        ]


async def read_all(engine: Engine) -> list[Rule]:
    """Read every rule, by id, in one statement, so that none is missed.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    return await _read(engine, None)


async def read_page(engine: Engine, after: int | None, size: int) -> list[Rule]:
    """Read the next rules, by id.

    Args:
        after: the last id of the page before; None for the first page.
        size: the maximum number of rules.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    return await _read(engine, None, after=after, size=size)


async def read(engine: Engine, rule_id: int) -> Rule | None:
    """Read a rule; return None if it does not exist.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    found = await _read(engine, [rule_id])
    return found[0] if found else None


_IDS = text("SELECT id FROM notify.ent_notification_rule")


async def read_ids(engine: Engine) -> set[int]:
    """Read the ids of all rules, in one statement, so that none is missed.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        return set(await connection.scalars(_IDS))


_RECORD_STATES = text("""
    WITH state AS (
        -- The new state of each rule.
        SELECT id, status::notify.rule_status AS status, error, done_for FROM unnest(CAST(:ids AS bigint[]),
            CAST(:statuses AS text[]), CAST(:errors AS text[]), CAST(:dones AS timestamptz[]))
            AS state (id, status, error, done_for)
    ), changed AS MATERIALIZED (
        -- The rules whose row differs, locked; skip rows that somebody else holds until the next time.
        SELECT r.id, state.status, state.error, coalesce(state.done_for, r.done_for) AS done_for
        FROM notify.ent_notification_rule r JOIN state ON state.id = r.id
        WHERE (r.rule_status, r.rule_error, r.done_for)
            IS DISTINCT FROM (state.status, state.error, coalesce(state.done_for, r.done_for))
        ORDER BY r.id
        FOR NO KEY UPDATE OF r SKIP LOCKED
    )
    UPDATE notify.ent_notification_rule AS r SET
        rule_status = changed.status, rule_error = changed.error, done_for = changed.done_for
    FROM changed WHERE r.id = changed.id""")


async def record_states(engine: Engine, states: Sequence[RuleState]) -> int:
    """Record the states of rules whose row differs.

    A rule that somebody holds is skipped until the next time, so one tenant's open transaction cannot delay the others.

    Returns:
        How many rows changed.

    Raises:
        StoreUnavailable: nothing may have been written.
    """
    values = {
        "ids": [state.rule_id for state in states],
        "statuses": [state.status.value for state in states],
        "errors": [state.error for state in states],
        "dones": [state.done_for for state in states],
    }
    async with acquire(engine) as connection:
        return (await connection.execute(_RECORD_STATES, values)).rowcount


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
        -- The recipients in their order; no row unless there are some, and all are non-empty text.
        SELECT array_agg(recipient.value #>> '{}' ORDER BY recipient.position) AS recipients
        FROM jsonb_array_elements(CASE jsonb_typeof(r.rule_payload -> 'recipients')
            WHEN 'array' THEN r.rule_payload -> 'recipients' ELSE '[]' END)
            WITH ORDINALITY AS recipient (value, position)
        HAVING bool_and(jsonb_typeof(recipient.value) = 'string' AND recipient.value <> '""')
    ) AS named ON true
    CROSS JOIN LATERAL (VALUES
        (1, w.enterprise_id <> r.enterprise_id,
            'its workflow ' || w.id || ' belongs to another enterprise; choose one of its own, or a global one'),
        (2, w.publish_status <> 'PUBLISH', 'its workflow ' || w.id || ' is not published; publish it'),
        (3, w.deactivated, 'its workflow ' || w.id || ' is deactivated; activate it'),
        (4, r.rule_payload -> 'recipients' IS NULL,
            'rule_payload has no recipients; write {"recipients": ["a subscriber''s id"]}'),
        (5, r.rule_payload -> 'recipients' IS NOT NULL AND named.recipients IS NULL,
            'rule_payload.recipients is not a list of subscriber ids; write a list with at least one id, none empty')
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
