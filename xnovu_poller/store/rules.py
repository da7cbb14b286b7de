"""The rules: read as a whole, marked with what became of them, and fired."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text

from xnovu_poller.lifecycle import FireOutcome, RuleStatus, RuleTrigger
from xnovu_poller.store.engine import Engine, acquire


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule, as its row holds it.

    Attributes:
        id: the row.
        enterprise_id: the tenant.
        name: its first 255 characters.
        workflow_id: the row of the workflow that its notifications are of.
        trigger: what makes it fire.
        config: when; JSON that Python will not read is an empty one.
        active: PUBLISH and not deactivated.
        status: what became of it; None until it was first looked at.
        error: why it stands where it stands.
        done_for: the only time of a SCHEDULE rule, once it has been fired for.
        last_fired_at: when, by the database's clock.
        last_outcome: how that ended.
        recent: its writer has changed it within the last minute, by the database's clock.
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
    """What became of a rule; `done_for` None leaves it as it is."""

    rule_id: int
    status: RuleStatus
    error: str | None = None
    done_for: datetime | None = None


@dataclass(frozen=True, slots=True)
class Fired:
    """How a firing ended, and the notification that it find_made, now or before."""

    outcome: FireOutcome
    notification_id: int | None


@dataclass(frozen=True, slots=True)
class RuleProblem:
    """Why the notifications of a rule would come to nothing; the times apart."""

    rule_id: int
    reason: str


async def read_all(engine: Engine) -> list[Rule]:
    """Read every rule, by id: one statement, so that none is left out.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    return await _rules(engine, None)


async def ids(engine: Engine) -> set[int]:
    """Give the ids of all rules: one statement, so that none is left out.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        return set(await connection.scalars(_IDS))


async def page(engine: Engine, after: int | None, size: int) -> list[Rule]:
    """Read the next rules, by id.

    Args:
        engine: where the rows are.
        after: the last id of the page before; None for the first.
        size: rules at most.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    return await _rules(engine, None, after=after, size=size)


async def read(engine: Engine, rule_id: int) -> Rule | None:
    """Read a rule; None if there is none.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    found = await _rules(engine, [rule_id])
    return found[0] if found else None


async def record_states(engine: Engine, verdicts: Sequence[RuleState]) -> int:
    """Write what became of rules, where it is not written already.

    A rule that somebody holds just now is left to the next time: one tenant's open transaction is not to keep the
    others' news back.

    Returns:
        How many rules it was news of.

    Raises:
        StoreUnavailable: nothing may have been written.
    """
    values = {
        "ids": [one.rule_id for one in verdicts],
        "statuses": [one.status.value for one in verdicts],
        "errors": [one.error for one in verdicts],
        "dones": [one.done_for for one in verdicts],
    }
    async with acquire(engine) as connection:
        return (await connection.execute(_MARK, values)).rowcount


async def fire(engine: Engine, rule_id: int, key: str, nominal: datetime | None) -> Fired:
    """Make the notification of a firing, from the rule as it is now, and write on the rule how it went.

    Args:
        engine: where the rows are.
        rule_id: which.
        key: the firing's name, the same at each try; the notification's `dedup_key`.
        nominal: the time that it is for, where it is the only time of a SCHEDULE rule, which is done with it,
            whatever the outcome (one that was moved meanwhile is scheduled anew by the next comparison); None for
            any other firing.

    Returns:
        What came of it. A repeat changes nothing on the rule but that it is done.

    Guarantee:
        At most one notification a key, for as long as the notification is retained.

    Raises:
        StoreUnavailable: the notification may have been find_made; a repeat tells. Also where somebody else holds the
            rule: it is not waited for.
    """
    values = {"rule_id": rule_id, "key": key, "nominal": nominal}
    async with acquire(engine) as connection:
        row = (await connection.execute(_FIRE, values)).one_or_none()
        if row is None:
            return Fired(FireOutcome.GONE, None)
        outcome, find_made = FireOutcome(row.outcome), row.notification_id
        if outcome is FireOutcome.REPEATED and find_made is None:
            # A twin find_made it after this statement had begun, which therefore does not see it.
            find_made = await connection.scalar(_MADE, {"enterprise": row.enterprise_id, "key": key})
    return Fired(outcome, find_made)


async def find_made(engine: Engine, enterprise_id: str, key: str) -> int | None:
    """Tell which notification a firing of an enterprise's rule has find_made; None if there is none, or no more.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        found: int | None = await connection.scalar(_MADE, {"enterprise": enterprise_id, "key": key})
        return found


async def set_deactivated(engine: Engine, rule_id: int, *, deactivated: bool) -> bool:
    """Deactivate a rule, or let it be active again.

    Returns:
        Whether there is such a rule.

    Raises:
        StoreUnavailable: it may not have been written.
    """
    async with acquire(engine) as connection:
        changed = await connection.execute(_SWITCH, {"rule_id": rule_id, "deactivated": deactivated})
        return changed.rowcount > 0


async def find_problems(engine: Engine, ids: Collection[int] | None) -> list[RuleProblem]:
    """Say of which rules the notifications would come to nothing; by rule.

    Args:
        engine: where the rows are.
        ids: the rules; None for all.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        rows = await connection.execute(_DOUBTS, {"ids": None if ids is None else list(ids)})
        return [RuleProblem(row.id, row.reason) for row in rows]


async def _rules(
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

_IDS = text("SELECT id FROM notify.ent_notification_rule")

_MARK = text("""
    WITH verdict AS (
        SELECT id, status::notify.rule_status AS status, error, done FROM unnest(CAST(:ids AS bigint[]),
            CAST(:statuses AS text[]), CAST(:errors AS text[]), CAST(:dones AS timestamptz[]))
            AS verdict (id, status, error, done)
    ), news AS MATERIALIZED (
        SELECT r.id, verdict.status, verdict.error, coalesce(verdict.done, r.done_for) AS done
        FROM notify.ent_notification_rule r JOIN verdict ON verdict.id = r.id
        WHERE (r.rule_status, r.rule_error, r.done_for)
            IS DISTINCT FROM (verdict.status, verdict.error, coalesce(verdict.done, r.done_for))
        ORDER BY r.id
        FOR NO KEY UPDATE OF r SKIP LOCKED
    )
    UPDATE notify.ent_notification_rule AS r SET rule_status = news.status, rule_error = news.error, done_for = news.done
    FROM news WHERE r.id = news.id""")

# The recipients of a rule `r` in their order; no row unless they are names and there are some.
_NAMED = """(
        SELECT array_agg(one.value #>> '{}' ORDER BY one.place) AS recipients
        FROM jsonb_array_elements(CASE jsonb_typeof(r.rule_payload -> 'recipients')
            WHEN 'array' THEN r.rule_payload -> 'recipients' ELSE '[]' END) WITH ORDINALITY AS one (value, place)
        HAVING bool_and(jsonb_typeof(one.value) = 'string' AND one.value <> '""')
    )"""

# The rule's row is held by the one that fires it: two firings are one after the other. Whoever else holds it, or for
# long what the insert refers to, does not keep our connections: the firing is tried again.
_FIRE = text(f"""
    WITH patience AS MATERIALIZED (
        SELECT set_config('lock_timeout', '100ms', true)
    ), r AS MATERIALIZED (
        SELECT r.id, enterprise_id, name, notification_workflow_id, rule_payload,
            publish_status = 'PUBLISH' AND NOT deactivated AS active,
            CASE trigger_type WHEN 'SCHEDULE' THEN CAST(:nominal AS timestamptz) END AS done
        FROM patience, notify.ent_notification_rule r WHERE r.id = :rule_id
        FOR NO KEY UPDATE OF r NOWAIT
    ), judged AS MATERIALIZED (
        SELECT r.*, find_made.id AS find_made, named.recipients, CASE
            WHEN find_made.id IS NOT NULL THEN 'repeated'
            WHEN NOT r.active THEN 'inactive'
            WHEN named.recipients IS NULL THEN 'no_recipients' END AS hindrance
        FROM r
        LEFT JOIN notify.ent_notification find_made ON find_made.enterprise_id = r.enterprise_id AND find_made.dedup_key = :key
        LEFT JOIN LATERAL {_NAMED} AS named ON true
    ), inserted AS (
        INSERT INTO notify.ent_notification
            (enterprise_id, name, notification_workflow_id, notification_rule_id, payload, recipients, dedup_key)
        SELECT enterprise_id, name, notification_workflow_id, id, rule_payload - 'recipients', recipients, :key
        FROM judged WHERE hindrance IS NULL
        ON CONFLICT (enterprise_id, dedup_key) WHERE dedup_key IS NOT NULL DO NOTHING
        RETURNING id
    ), fired AS MATERIALIZED (
        SELECT judged.id, judged.enterprise_id, judged.done, coalesce(inserted.id, judged.find_made) AS notification_id,
            coalesce(judged.hindrance, CASE WHEN inserted.id IS NULL THEN 'repeated' ELSE 'created' END) AS outcome
        FROM judged LEFT JOIN inserted ON true
    ), told AS (
        UPDATE notify.ent_notification_rule AS r SET
            last_fired_at = CASE WHEN fired.outcome = 'repeated' THEN r.last_fired_at ELSE clock_timestamp() END,
            last_outcome = CASE WHEN fired.outcome = 'repeated' THEN r.last_outcome ELSE fired.outcome END,
            rule_status = CASE WHEN fired.done IS NULL THEN r.rule_status ELSE 'DONE' END,
            rule_error = CASE WHEN fired.done IS NULL THEN r.rule_error END,
            done_for = coalesce(fired.done, r.done_for)
        FROM fired
        WHERE r.id = fired.id AND (fired.outcome <> 'repeated' OR fired.done IS DISTINCT FROM r.done_for)
    )
    SELECT enterprise_id, notification_id, outcome FROM fired""")  # noqa: S608 - built of this module's constants

_MADE = text("""
    SELECT id FROM notify.ent_notification WHERE enterprise_id = :enterprise AND dedup_key = :key""")

_SWITCH = text("UPDATE notify.ent_notification_rule SET deactivated = :deactivated WHERE id = :rule_id")

_DOUBTS = text(f"""
    SELECT r.id, doubt.reason
    FROM notify.ent_notification_rule r
    JOIN notify.ent_notification_workflow w ON w.id = r.notification_workflow_id
    LEFT JOIN LATERAL {_NAMED} AS named ON true
    CROSS JOIN LATERAL (VALUES
        (1, w.enterprise_id <> r.enterprise_id,
            'its workflow ' || w.id || ' is another enterprise''s; take one of its own, or one that is for all'),
        (2, w.publish_status <> 'PUBLISH', 'its workflow ' || w.id || ' is not published; publish it'),
        (3, w.deactivated, 'its workflow ' || w.id || ' is deactivated; activate it'),
        (4, r.rule_payload -> 'recipients' IS NULL,
            'rule_payload names no recipients; write {{"recipients": ["a subscriber''s id"]}}'),
        (5, r.rule_payload -> 'recipients' IS NOT NULL AND named.recipients IS NULL,
            'rule_payload.recipients is not a list of subscribers'' ids, with one at least and none empty; write it as one')
    ) AS doubt (place, holds, reason)
    WHERE doubt.holds AND (CAST(:ids AS bigint[]) IS NULL OR r.id = ANY (CAST(:ids AS bigint[])))
    ORDER BY r.id, doubt.place""")  # noqa: S608 - built of this module's constants
