"""How much there is of what: bounded counts that stay cheap whatever the table holds."""

from datetime import timedelta
from typing import Any

from sqlalchemy import text

from xnovu_poller.store.engine import Engine, acquire
from xnovu_poller.store.notifications.due import FAILED, NEW, SCHEDULED, Due
from xnovu_poller.store.reads import COUNTED_AT_MOST, backlog


async def refresh(engine: Engine) -> dict[str, Any]:
    """Count, as JSON knows it.

    Returns:
        `rows`: an estimate of all notifications · `newest`: the states of the last `COUNTED_AT_MOST` of them ·
        `in_flight` and `due`, by loop: each at most `COUNTED_AT_MOST` · `oldest_due_seconds`, by loop: how long its
        oldest row has been due, null if none is · `rules`, by what became of them; `UNSEEN`: not looked at yet.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    counted = await backlog(engine)
    waited = await oldest_due(engine)
    async with acquire(engine) as connection:
        row = (await connection.execute(_COUNTED)).one()
    return {
        "rows": row.estimated,
        "newest": row.newest,
        "in_flight": counted.pop("in_flight"),
        "due": counted,
        "oldest_due_seconds": {
            loop: None if span is None else round(span.total_seconds(), 3) for loop, span in waited.items()
        },
        "rules": row.rules,
    }


async def oldest_due(engine: Engine, *, limited: bool = True) -> dict[str, timedelta | None]:
    """Tell of each loop how long its oldest row has been due; None if none is.

    The oldest of each of the first `COUNTED_AT_MOST` enterprises is looked at.

    Args:
        engine: where the rows are.
        limited: also the enterprises that have a limit of their own, for which their rows may wait.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        row = (await connection.execute(_WAITS, {"limited": limited})).mappings().one()
    return {loop: None if waited is None else timedelta(seconds=waited) for loop, waited in row.items()}


# A loose index scan, as in the claims: from one enterprise's oldest row to the next one's.
def _waited(due: Due) -> str:
    owned = f"{due.owned} AND n.priority >= 0"
    return f"""(
        WITH RECURSIVE ring (enterprise_id, number) AS (
            (SELECT n.enterprise_id, 1 FROM notify.ent_notification n
             WHERE {owned} ORDER BY n.enterprise_id LIMIT 1)
            UNION ALL
            SELECT (SELECT n.enterprise_id FROM notify.ent_notification n
                    WHERE {owned} AND n.enterprise_id > ring.enterprise_id ORDER BY n.enterprise_id LIMIT 1), ring.number + 1
            FROM ring WHERE ring.enterprise_id IS NOT NULL AND ring.number < {COUNTED_AT_MOST}
        )
        SELECT CAST(extract(epoch FROM clock_timestamp()) - extract(epoch FROM min(oldest.at)) AS float8)
        FROM ring, LATERAL (
            SELECT greatest({_TIMES[due.name]}, timestamptz '1970-01-01Z') AS at FROM notify.ent_notification n
            WHERE {owned} AND {due.ripe} AND n.enterprise_id = ring.enterprise_id ORDER BY {due.age} LIMIT 1
        ) AS oldest
        WHERE CAST(:limited AS bool) OR NOT EXISTS (
            SELECT FROM notify.ent_enterprise_limit l WHERE l.enterprise_id = ring.enterprise_id)
    ) AS {due.name}"""  # noqa: S608 - built of the loops' constants


_TIMES = {
    NEW.name: "n.created_at",
    SCHEDULED.name: "greatest(n.created_at, n.scheduled_for)",
    FAILED.name: "n.next_attempt_at",
}
_WAITS = text("SELECT " + ", ".join(_waited(due) for due in (NEW, SCHEDULED, FAILED)))

_COUNTED = text(f"""
    SELECT
        (SELECT CAST(greatest(reltuples, 0) AS bigint) FROM pg_class
            WHERE oid = to_regclass('notify.ent_notification')) AS estimated,
        (SELECT coalesce(jsonb_object_agg(status, counted), '{{}}') FROM (
            SELECT status, count(*) AS counted FROM (
                SELECT notification_status::text AS status FROM notify.ent_notification
                ORDER BY id DESC LIMIT {COUNTED_AT_MOST}) AS newest
            GROUP BY status) AS by_status) AS newest,
        (SELECT coalesce(jsonb_object_agg(status, counted), '{{}}') FROM (
            SELECT coalesce(rule_status::text, 'UNSEEN') AS status, count(*) AS counted
            FROM notify.ent_notification_rule GROUP BY 1) AS by_status) AS rules""")  # noqa: S608 - built of this module's constants
