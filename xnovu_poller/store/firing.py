"""Create the notification of a rule's firing."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from xnovu_poller import log
from xnovu_poller.lifecycle import FireOutcome
from xnovu_poller.store.engine import Engine, acquire

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class FireResult:
    """The outcome of a firing, and the notification that it created, now or before."""

    outcome: FireOutcome
    notification_id: int | None


_FIND_MADE = text("""
    SELECT id FROM notify.ent_notification WHERE enterprise_id = :enterprise AND dedup_key = :key""")


async def find_made(engine: Engine, enterprise_id: str, key: str) -> int | None:
    """Return the notification that a firing has created; None if there is none, or it was deleted since.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        found: int | None = await connection.scalar(_FIND_MADE, {"enterprise": enterprise_id, "key": key})
        return found


# Each firing locks the rule's row, so two firings of a rule run one after the other. If somebody else holds that row or
# a row that the insert refers to, the statement gives up within 100 ms to free its connection; the firing tries again.
_FIRE = text("""
    WITH patience AS MATERIALIZED (
        -- How long the statement waits for a lock.
        SELECT set_config('lock_timeout', '100ms', true)
    ), rule AS MATERIALIZED (
        -- The rule, locked, and the only time of a SCHEDULE rule, for which it is done after this firing.
        SELECT r.id, enterprise_id, name, notification_workflow_id, rule_payload, channels, overrides, priority,
            moment.fired_at, moment.fired_at + expires_after AS expires_at,
            publish_status = 'PUBLISH' AND NOT deactivated AS active,
            CASE trigger_type WHEN 'SCHEDULE' THEN CAST(:nominal AS timestamptz) END AS done_for
        FROM patience, notify.ent_notification_rule r,
            LATERAL (SELECT coalesce(CAST(:fired_at AS timestamptz), CAST(:nominal AS timestamptz),
                date_trunc('second', clock_timestamp())) AS fired_at) AS moment
        WHERE r.id = :rule_id
        FOR NO KEY UPDATE OF r NOWAIT
    ), checked AS MATERIALIZED (
        -- The reason not to insert a notification, if any: it exists already, the rule is inactive, or it has no recipients.
        SELECT rule.*, existing.id AS existing_id, named.recipients, CASE
            WHEN existing.id IS NOT NULL THEN 'repeated'
            WHEN NOT rule.active THEN 'inactive'
            WHEN named.recipients IS NULL THEN 'no_recipients' END AS hindrance
        FROM rule
        LEFT JOIN notify.ent_notification existing
            ON existing.enterprise_id = rule.enterprise_id AND existing.dedup_key = :key
        LEFT JOIN LATERAL (
            -- The recipients in their order, as the table would write them; no row unless all are usable.
            SELECT read.usable AS recipients
            FROM (
                SELECT array_agg(recipient.value #>> '{}' ORDER BY recipient.position) AS given
                FROM jsonb_array_elements(CASE jsonb_typeof(rule.rule_payload -> 'recipients')
                    WHEN 'array' THEN rule.rule_payload -> 'recipients' ELSE '[]' END)
                    WITH ORDINALITY AS recipient (value, position)
                HAVING bool_and(jsonb_typeof(recipient.value) = 'string')
            ) AS listed, LATERAL notify.read_recipients(listed.given) AS read
            WHERE read.usable IS NOT NULL
        ) AS named ON true
    ), inserted AS (
        -- The notification, unless the same firing has created it elsewhere meanwhile.
        INSERT INTO notify.ent_notification
            (enterprise_id, name, notification_workflow_id, notification_rule_id, payload, recipients, channels,
            overrides, priority, expires_at, fired_at, dedup_key)
        SELECT enterprise_id, name, notification_workflow_id, id, rule_payload - 'recipients', recipients, channels,
            overrides, priority, expires_at, fired_at, :key
        FROM checked WHERE hindrance IS NULL
        ON CONFLICT (enterprise_id, dedup_key) WHERE dedup_key IS NOT NULL DO NOTHING
        RETURNING id
    ), fired AS MATERIALIZED (
        -- The outcome of the firing.
        SELECT checked.id, checked.enterprise_id, checked.done_for,
            coalesce(inserted.id, checked.existing_id) AS notification_id,
            coalesce(checked.hindrance, CASE WHEN inserted.id IS NULL THEN 'repeated' ELSE 'created' END) AS outcome
        FROM checked LEFT JOIN inserted ON true
    ), recorded AS (
        -- The rule, with the outcome. A repeat changes nothing, except that the rule may now be done.
        UPDATE notify.ent_notification_rule AS r SET
            last_fired_at = CASE WHEN fired.outcome = 'repeated' THEN r.last_fired_at ELSE clock_timestamp() END,
            last_outcome = CASE WHEN fired.outcome = 'repeated' THEN r.last_outcome ELSE fired.outcome END,
            rule_status = CASE WHEN fired.done_for IS NULL THEN r.rule_status ELSE 'DONE' END,
            rule_error = CASE WHEN fired.done_for IS NULL THEN r.rule_error END,
            done_for = coalesce(fired.done_for, r.done_for)
        FROM fired
        WHERE r.id = fired.id AND (fired.outcome <> 'repeated' OR fired.done_for IS DISTINCT FROM r.done_for)
    )
    SELECT enterprise_id, notification_id, outcome FROM fired""")


# The firing is rolled back, so a statement of its own records it. The rule's row may be locked: then the firing tries again.
_RECORD_REFUSAL = text("""
    WITH patience AS MATERIALIZED (
        -- How long the statement waits for a lock.
        SELECT set_config('lock_timeout', '100ms', true)
    )
    UPDATE notify.ent_notification_rule AS r SET
        last_fired_at = clock_timestamp(), last_outcome = 'refused',
        rule_status = CASE WHEN r.trigger_type = 'SCHEDULE' AND CAST(:nominal AS timestamptz) IS NOT NULL
            THEN 'DONE' ELSE r.rule_status END,
        rule_error = CASE WHEN r.trigger_type <> 'SCHEDULE' OR CAST(:nominal AS timestamptz) IS NULL THEN r.rule_error END,
        done_for = CASE WHEN r.trigger_type = 'SCHEDULE'
            THEN coalesce(CAST(:nominal AS timestamptz), r.done_for) ELSE r.done_for END
    FROM patience WHERE r.id = :rule_id""")


async def fire(
    engine: Engine, rule_id: int, key: str, nominal: datetime | None, *, fired_at: datetime | None = None
) -> FireResult:
    """Create the notification of a firing from the current rule, and record the outcome on the rule.

    Args:
        key: names the firing, the same at each try; it becomes the notification's `dedup_key`.
        nominal: the only time of a SCHEDULE rule; None for other firings. After any outcome the rule is done for that
            time. If the rule was moved meanwhile, the next reconciliation schedules it again.
        fired_at: the time for which the rule fires, without jitter and delay: its notification gets it, and expires
            counted from it. None: `nominal`, or else now.

    Guarantee:
        At most one notification for each key, while the notification is retained.

    Raises:
        StoreUnavailable: the notification may have been created; a repeat finds it. Also raised if somebody else
            holds the rule, because the statement does not wait.
    """
    values = {"rule_id": rule_id, "key": key, "nominal": nominal, "fired_at": fired_at}
    async with acquire(engine) as connection:
        try:
            row = (await connection.execute(_FIRE, values)).one_or_none()
        except IntegrityError as error:
            return await _record_refusal(connection, rule_id, nominal, error)
        if row is None:
            return FireResult(FireOutcome.GONE, None)
        outcome, made = FireOutcome(row.outcome), row.notification_id
        if outcome is FireOutcome.REPEATED and made is None:
            # The same firing created it elsewhere after the snapshot of this statement, which cannot see it.
            made = await connection.scalar(_FIND_MADE, {"enterprise": row.enterprise_id, "key": key})
    return FireResult(outcome, made)


async def _record_refusal(
    connection: AsyncConnection, rule_id: int, nominal: datetime | None, error: IntegrityError
) -> FireResult:
    """Record that the table refuses the notification: every further try would end the same way."""
    broken = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
    _log.warning("notification of a rule refused", rule_id=rule_id, broken=broken)
    await connection.execute(_RECORD_REFUSAL, {"rule_id": rule_id, "nominal": nominal})
    return FireResult(FireOutcome.REFUSED, None)
