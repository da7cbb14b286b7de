"""Answer an operator's questions about the database, each by reading only, and within bounds of time."""

import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import TextClause, text

from xnovu_poller.store.engine import Engine, acquire
from xnovu_poller.store.notifications.due import FAILED, NEW, SCHEDULED
from xnovu_poller.store.pauses import HOLDS

Row = dict[str, Any]


# Times travel as text, because Python cannot represent all of them.
_WAITING = f"""
        SELECT '{NEW.name}' AS loop, n.enterprise_id, n.notification_workflow_id AS workflow_id,
            n.notification_status::text AS status, true AS is_due, n.created_at AS due_at
        FROM notify.ent_notification n WHERE {NEW.owned} AND n.priority >= 0
        UNION ALL
        SELECT '{SCHEDULED.name}', n.enterprise_id, n.notification_workflow_id, n.notification_status::text,
            {SCHEDULED.due_now}, greatest(n.created_at, n.scheduled_for)
        FROM notify.ent_notification n WHERE {SCHEDULED.owned} AND n.priority >= 0
        UNION ALL
        SELECT '{FAILED.name}', n.enterprise_id, n.notification_workflow_id, n.notification_status::text,
            {FAILED.due_now}, greatest(n.created_at, n.next_attempt_at)
        FROM notify.ent_notification n WHERE {FAILED.owned} AND n.priority >= 0"""  # noqa: S608 - built of the loops' conditions

_GROUPS = f"""
    WITH counted AS (
        -- The rows that wait, by all that decides whether they are paused.
        SELECT loop, enterprise_id, workflow_id, status, is_due, count(*) AS number, min(due_at) AS first_at FROM (
            {_WAITING}
        ) AS of_loops GROUP BY loop, enterprise_id, workflow_id, status, is_due
    ), waiting AS (
        -- What is paused is not due, until somebody resumes it.
        SELECT loop, enterprise_id, status, number, first_at, is_due AND is_paused AS is_paused,
            is_due AND NOT is_paused AS is_due
        FROM (
            SELECT counted.*, EXISTS (
                SELECT FROM notify.pause p WHERE {HOLDS}
                    AND (p.enterprise_id IS NULL OR p.enterprise_id = counted.enterprise_id)
                    AND (p.workflow_key IS NULL OR p.workflow_key = (
                        SELECT w.workflow_key FROM notify.ent_notification_workflow w WHERE w.id = counted.workflow_id))
            ) AS is_paused FROM counted
        ) AS compared
    )"""  # noqa: S608 - built of the loops' conditions

_BACKLOG = text(f"""{_GROUPS}
    SELECT loop, status, coalesce(sum(number) FILTER (WHERE is_due), 0)::bigint AS due,
        coalesce(sum(number) FILTER (WHERE is_paused), 0)::bigint AS paused,
        coalesce(sum(number) FILTER (WHERE NOT is_due AND NOT is_paused), 0)::bigint AS later,
        CAST(extract(epoch FROM clock_timestamp() - min(first_at) FILTER (WHERE is_due)) AS bigint) AS oldest_due_seconds,
        CAST(min(first_at) FILTER (WHERE NOT is_due AND NOT is_paused) AS text) AS next_due_at
    FROM (
        SELECT * FROM waiting
        UNION ALL
        SELECT 'in flight', n.enterprise_id, n.notification_status::text, 1, n.lease_expires_at, false,
            n.lease_expires_at < now()
        FROM notify.ent_notification n WHERE n.notification_status = 'PROCESSING'
    ) AS waiting
    GROUP BY loop, status
    ORDER BY array_position(ARRAY['{NEW.name}', '{SCHEDULED.name}', '{FAILED.name}', 'in flight'], loop)""")  # noqa: S608 - as above

_TENANTS = text(f"""{_GROUPS}, of_tenants AS (
        -- The due and the paused rows of each enterprise.
        SELECT enterprise_id, sum(number) FILTER (WHERE is_due) AS due, sum(number) FILTER (WHERE is_paused) AS paused,
            min(first_at) FILTER (WHERE is_due) AS oldest
        FROM waiting WHERE is_due OR is_paused GROUP BY enterprise_id
    ), claimed AS (
        -- The rows in flight.
        SELECT n.enterprise_id, count(*) AS in_flight FROM notify.ent_notification n
        WHERE n.notification_status = 'PROCESSING' GROUP BY n.enterprise_id
    ), ended AS (
        -- The ends of the last hour, among the newest notifications: no index has the time of the end.
        SELECT enterprise_id, count(*) FILTER (WHERE notification_status = 'SENT') AS sent,
            count(*) FILTER (WHERE notification_status = 'DEAD') AS dead
        FROM (
            SELECT n.enterprise_id, n.notification_status, n.processed_at FROM notify.ent_notification n
            ORDER BY n.id DESC LIMIT 100000) AS newest
        WHERE processed_at > now() - interval '1 hour' GROUP BY enterprise_id
    )
    SELECT enterprise_id, coalesce(of_tenants.due, 0)::bigint AS due, coalesce(of_tenants.paused, 0)::bigint AS paused,
        CAST(extract(epoch FROM clock_timestamp() - of_tenants.oldest) AS bigint) AS oldest_due_seconds,
        coalesce(claimed.in_flight, 0) AS in_flight, coalesce(ended.sent, 0) AS sent_last_hour,
        coalesce(ended.dead, 0) AS dead_last_hour,
        CAST(round(100.0 * ended.sent / NULLIF(sum(ended.sent) OVER (), 0)) AS int) AS share_percent,
        l.rate AS rate_limit, l.in_flight AS in_flight_limit, l.firings AS firings_limit
    FROM of_tenants FULL JOIN claimed USING (enterprise_id) FULL JOIN ended USING (enterprise_id)
    LEFT JOIN notify.ent_enterprise_limit l USING (enterprise_id)
    ORDER BY due DESC, paused DESC, sent_last_hour DESC, enterprise_id USING ~<~ LIMIT 100""")  # noqa: S608 - as above

_LOCKS = text("""
    WITH holder AS (
        -- The sessions with a lock on a table of ours: the lock that they wait for, or a lock for more than reading.
        SELECT DISTINCT ON (l.pid) l.pid, c.relname, l.mode
        FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
        WHERE l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND c.relnamespace = to_regnamespace('notify') AND c.relkind = 'r' AND l.pid <> pg_backend_pid()
        ORDER BY l.pid, l.granted, l.mode = 'AccessShareLock', l.mode, c.relname
    ), blocked AS (
        -- Each of them that waits, with each session that it waits for.
        SELECT holder.pid, holder.relname, holder.mode, blocker.pid AS blocker_pid
        FROM holder CROSS JOIN LATERAL unnest(pg_blocking_pids(holder.pid)) AS blocker (pid)
    ), pair AS (
        -- Sessions that only hold a lock block nobody yet, but workers skip the rows that they have locked.
        SELECT pid, relname, mode, blocker_pid FROM blocked
        UNION ALL
        SELECT NULL, relname, mode, pid FROM holder
        WHERE mode <> 'AccessShareLock' AND pid NOT IN (SELECT blocker_pid FROM blocked UNION ALL SELECT pid FROM blocked)
    )
    SELECT pair.relname AS table, pair.mode, pair.pid AS waiting_pid, waiting.usename::text AS waiting_login,
        waiting.application_name AS waiting_application,
        CAST(extract(epoch FROM clock_timestamp() - waiting.query_start) AS bigint) AS waiting_seconds,
        pair.blocker_pid AS holding_pid, holding.usename::text AS holding_login,
        holding.application_name AS holding_application, holding.state AS holding_state,
        CAST(extract(epoch FROM clock_timestamp() - holding.xact_start) AS bigint) AS transaction_seconds
    FROM pair LEFT JOIN pg_stat_activity waiting ON waiting.pid = pair.pid
    LEFT JOIN pg_stat_activity holding ON holding.pid = pair.blocker_pid
    ORDER BY pair.pid IS NULL, waiting_seconds DESC NULLS LAST, transaction_seconds DESC NULLS LAST, holding_pid LIMIT 100""")

_BLOAT = text("""
    SELECT 'table' AS kind, s.relname AS name, pg_relation_size(s.relid) AS bytes, s.n_live_tup AS live_rows,
        s.n_dead_tup AS dead_rows, CAST(s.last_vacuum AS text) AS last_vacuum,
        CAST(s.last_autovacuum AS text) AS last_autovacuum, CAST(NULL AS bigint) AS scans
    FROM pg_stat_user_tables s WHERE s.schemaname = 'notify'
    UNION ALL
    SELECT 'index', i.indexrelname, pg_relation_size(i.indexrelid), NULL, NULL, NULL, NULL, i.idx_scan
    FROM pg_stat_user_indexes i WHERE i.schemaname = 'notify'
    ORDER BY bytes DESC, name""")

# Without the text of the statements, which may contain a payload.
_RUNNING = text("""
    SELECT a.pid, a.usename::text AS login, a.application_name AS application, a.state,
        coalesce(a.wait_event_type || ' ' || a.wait_event, '') AS waits_for,
        CAST(extract(epoch FROM clock_timestamp() - a.query_start) AS bigint) AS seconds
    FROM pg_stat_activity a
    WHERE a.datname = current_database() AND a.state <> 'idle' AND a.pid <> pg_backend_pid()
    ORDER BY a.query_start LIMIT 50""")

_EXTENSION = text("""
    SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
    WHERE e.extname = 'pg_stat_statements' AND current_setting('pg_stat_statements.max', true) IS NOT NULL
        AND has_schema_privilege(n.oid, 'USAGE')""")

_FIND_VIEW = text("SELECT set_config('search_path', 'pg_catalog, ' || :schema || ', pg_temp', true)")

_STATEMENTS = text("""
    SELECT calls, total_exec_time AS total_ms, mean_exec_time AS mean_ms, rows, query FROM pg_stat_statements
    WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
    ORDER BY total_exec_time DESC LIMIT 500""")

_OURS = re.compile(r"\s*(?:SELECT|INSERT|UPDATE|DELETE|WITH)\b.*\bnotify\.", re.DOTALL)
"""The extension replaces the values only of these statements."""

_SLOWEST = 20

_READ_ONLY = text("BEGIN READ ONLY")
_WITHIN = text("SET LOCAL statement_timeout = '30s'")
_AS_LOGIN = text("SET LOCAL ROLE NONE")
_END = text("ROLLBACK")


async def read_backlog(engine: Engine) -> Sequence[Row]:
    """Return the rows that wait, by loop and state. Of rows in flight, those with a lapsed lease count as due.

    Rows that are due and paused are counted apart.

    Raises:
        StoreUnavailable: PostgreSQL does not answer, or the answer takes too long. So do the other questions.
    """
    return await _ask(engine, _BACKLOG)


async def read_tenants(engine: Engine) -> Sequence[Row]:
    """Return the enterprises that wait or were served in the last hour, those with most due rows first."""
    return await _ask(engine, _TENANTS)


async def read_locks(engine: Engine) -> Sequence[Row]:
    """Return who waits for whom on our tables, and who only holds locks on them."""
    return await _ask(engine, _LOCKS, as_login=True)


async def read_bloat(engine: Engine) -> Sequence[Row]:
    """Return the sizes of tables and indexes, dead rows, and when vacuum came last."""
    return await _ask(engine, _BLOAT)


async def read_slow(engine: Engine) -> Sequence[Row]:
    """Return our slowest statements if the extension pg_stat_statements is installed; otherwise what runs now."""
    async with acquire(engine) as connection:
        schema = await connection.scalar(_EXTENSION)
        if schema is not None:
            await connection.execute(_READ_ONLY)
            await connection.execute(_WITHIN)
            await connection.execute(_FIND_VIEW, {"schema": schema})
            rows = (await connection.execute(_STATEMENTS)).mappings().all()
            await connection.execute(_END)
            ours = [dict(row) for row in rows if _OURS.match(row["query"] or "")]
            return [row | {"query": " ".join(row["query"].split())} for row in ours[:_SLOWEST]]
    return await _ask(engine, _RUNNING, as_login=True)


async def _ask(engine: Engine, statement: TextClause, *, as_login: bool = False) -> Sequence[Row]:
    """Run a statement in a transaction that only reads; PostgreSQL ends it after 30 seconds.

    Args:
        as_login: ask as the login itself, which sees its own sessions; the worker's role sees none.
    """
    async with acquire(engine) as connection:
        await connection.execute(_READ_ONLY)
        await connection.execute(_WITHIN)
        if as_login:
            await connection.execute(_AS_LOGIN)
        rows = (await connection.execute(statement)).mappings().all()
        await connection.execute(_END)
    return [dict(row) for row in rows]
