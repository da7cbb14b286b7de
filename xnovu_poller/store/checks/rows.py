"""Check the rows: what waits for a rescue, a claim or a person."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text

from xnovu_poller.store.checks.finding import USUAL, Bounds, Check, Finding
from xnovu_poller.store.engine import Engine, acquire
from xnovu_poller.store.notifications.backlog import oldest_due
from xnovu_poller.store.pauses import HOLDS


def _name(*nouns_and_counts: str) -> str:
    """Return the SQL of counts in words, such as "1 enterprise and 2 workflows"; a count of zero is left out."""
    words = [
        f"nullif({count}, 0) || CASE {count} WHEN 1 THEN ' {noun}' ELSE ' {noun}s' END"
        for noun, count in zip(nouns_and_counts[::2], nouns_and_counts[1::2], strict=True)
    ]
    return f"concat_ws(' and ', {', '.join(words)})"


_LEASES = text("""
    SELECT format('rescue: leases lapsed long ago, and their rows were not rescued (at least %s);'
        ' check that a worker runs, that it reaches Temporal, and that no session keeps these rows locked', number)
    FROM (
        SELECT count(*) AS number FROM (
            SELECT FROM notify.ent_notification
            WHERE notification_status = 'PROCESSING'
                AND lease_expires_at < clock_timestamp() - make_interval(secs => :waited)
                AND (send_until IS NULL OR send_until < clock_timestamp() - make_interval(secs => :waited))
            LIMIT 1000
        ) AS found
    ) AS lapsed
    WHERE number > 0""")

_RULES = text("""
    SELECT format('rules: %s INVALID and %s FAILED; run `xnovu rules list` to see why', invalid, failed)
    FROM (
        SELECT count(*) FILTER (WHERE rule_status = 'INVALID') AS invalid,
            count(*) FILTER (WHERE rule_status = 'FAILED') AS failed
        FROM notify.ent_notification_rule
    ) AS counted
    WHERE invalid + failed > 0""")

_FAULTY = text("""
    SELECT format('checks: published rows have an error, so notifications end DEAD; see checked_error of %s',
        string_agg(format('%s (%s): %s%s', kind, cardinality(ids), array_to_string(ids[1:5], ', '),
            CASE WHEN cardinality(ids) > 5 THEN ', …' END), '; ' ORDER BY kind))
    FROM (
        SELECT 'templates' AS kind, array_agg(id ORDER BY id) AS ids
        FROM notify.ent_notification_template WHERE publish_status = 'PUBLISH' AND NOT deactivated
            AND checked_status IS DISTINCT FROM 'OK' AND checked_status = 'ERROR'
        UNION ALL
        SELECT 'workflows', array_agg(id ORDER BY id)
        FROM notify.ent_notification_workflow WHERE publish_status = 'PUBLISH' AND NOT deactivated
            AND checked_status IS DISTINCT FROM 'OK' AND checked_status = 'ERROR'
    ) AS found
    WHERE ids IS NOT NULL HAVING count(*) > 0""")

# Anybody may read the findings, so they name nobody.
_PAUSED = text(f"""
    SELECT format('pauses: they hold back %s, the oldest since %s; `xnovu pause --list` shows what waits, `xnovu resume` ends a pause',
        CASE WHEN everything > 0 THEN 'all notifications' ELSE {_name("enterprise", "enterprises", "workflow", "workflows")} END,
        to_char(since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"'))
    FROM (
        SELECT count(*) FILTER (WHERE p.enterprise_id IS NULL AND p.workflow_key IS NULL) AS everything,
            count(*) FILTER (WHERE p.enterprise_id IS NOT NULL AND p.workflow_key IS NULL) AS enterprises,
            count(*) FILTER (WHERE p.workflow_key IS NOT NULL) AS workflows, min(p.paused_at) AS since
        FROM notify.pause p WHERE {HOLDS}
    ) AS counted
    WHERE since IS NOT NULL""")  # noqa: S608 - built of a condition of the store

_CHORES = text("""
    SELECT format('chore %s: another session has locked its row, so it cannot be done or recorded; end that session', c.name)
    FROM notify.chore c
    WHERE NOT EXISTS (
        SELECT FROM (SELECT FROM notify.chore l WHERE l.name = c.name FOR NO KEY UPDATE SKIP LOCKED) AS free)
    ORDER BY c.name""")

_DEATHS = text("""
    SELECT format('notifications: at least %s became DEAD in the last %s minutes (%s); look the code up in'
        ' docs/runbook.md, correct the cause, then revive them', number, round(CAST(:died AS numeric) / 60), code)
    FROM (
        SELECT code, count(*) AS number FROM (
            SELECT error_details ->> 'code' AS code, notification_status, updated_at FROM notify.ent_notification
            ORDER BY id DESC LIMIT 10000
        ) AS newest
        WHERE notification_status = 'DEAD' AND updated_at > clock_timestamp() - make_interval(secs => :died)
        GROUP BY code
    ) AS by_code
    WHERE number >= :deaths
    ORDER BY number DESC LIMIT 5""")


def list_rows(bounds: Bounds) -> list[Check]:
    """Return the checks that are a single statement."""
    return [
        Check(
            "leases_lapsed",
            "rows with a lapsed lease are rescued",
            _LEASES,
            {"waited": bounds.waited.total_seconds()},
        ),
        Check(
            "deaths_repeated",
            "few notifications become DEAD of one code",
            _DEATHS,
            {"deaths": bounds.deaths, "died": bounds.died.total_seconds()},
        ),
        Check("rules_unscheduled", "no rule is INVALID or FAILED", _RULES),
        Check("rows_faulty", "no published template or workflow has an error", _FAULTY),
        Check("paused", "no notifications are paused", _PAUSED),
        Check("chore_locked", "no session keeps the row of a chore locked", _CHORES),
    ]


_DUE_EXPECTED = "no due row waits while nothing of its enterprise is in flight"
_DUE_UNCLAIMED = "{} loop: a row has been due for {} minutes, and nothing of its enterprise is in flight"
_CLAIM_THEM = (
    "check that a worker runs that serves this enterprise, that its gate is open, and that the index is sound"
    " (REINDEX TABLE notify.ent_notification)"
)


async def find_unclaimed(engine: Engine, bounds: Bounds) -> list[Finding]:
    """Find loops with rows that have been due for too long while nothing of their enterprise is in flight.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    code = "due_unclaimed"
    late = {
        loop: waited // timedelta(minutes=1)
        for loop, waited in (await oldest_due(engine, unserved=True)).items()
        if waited is not None and waited > bounds.waited
    }
    found = [
        Finding(code, _DUE_EXPECTED, _DUE_UNCLAIMED.format(loop, minutes), _CLAIM_THEM)
        for loop, minutes in late.items()
    ]
    return found or [Finding(code, _DUE_EXPECTED)]


@dataclass(frozen=True, slots=True)
class StuckRow:
    """A PROCESSING notification that nobody has rescued for long; `run_id` names its run in Temporal."""

    notification_id: int
    run_id: str


_STUCK = text("""
    SELECT n.id, n.temporal_workflow_id FROM notify.ent_notification n
    WHERE n.notification_status = 'PROCESSING'
        AND n.lease_expires_at < clock_timestamp() - make_interval(secs => :waited)
        AND (n.send_until IS NULL OR n.send_until < clock_timestamp() - make_interval(secs => :waited))
    ORDER BY n.lease_expires_at, n.id LIMIT 20""")


async def read_stuck(engine: Engine, bounds: Bounds = USUAL) -> Sequence[StuckRow]:
    """Read up to 20 rows whose lease lapsed long ago, the oldest first.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        rows = await connection.execute(_STUCK, {"waited": bounds.waited.total_seconds()})
        return [StuckRow(row.id, row.temporal_workflow_id) for row in rows]
