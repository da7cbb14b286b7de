"""Collect the statistics of the deployment: bounded counts, cheap for a table of any size."""

from typing import Any

from sqlalchemy import text

from xnovu_poller.store.engine import Engine, acquire
from xnovu_poller.store.notifications.backlog import COUNTED_AT_MOST, count_backlog, oldest_due

_STATISTICS = text(f"""
    SELECT
        -- PostgreSQL's estimate of the number of notifications.
        (SELECT CAST(greatest(reltuples, 0) AS bigint) FROM pg_class
            WHERE oid = to_regclass('notify.ent_notification')) AS estimated,
        -- The newest notifications, by state.
        (SELECT coalesce(jsonb_object_agg(status, number), '{{}}') FROM (
            SELECT status, count(*) AS number FROM (
                SELECT notification_status::text AS status FROM notify.ent_notification
                ORDER BY id DESC LIMIT {COUNTED_AT_MOST}) AS newest
            GROUP BY status) AS by_status) AS newest,
        -- All rules, by state.
        (SELECT coalesce(jsonb_object_agg(status, number), '{{}}') FROM (
            SELECT coalesce(rule_status::text, 'UNSEEN') AS status, count(*) AS number
            FROM notify.ent_notification_rule GROUP BY 1) AS by_status) AS rules""")  # noqa: S608 - built of this module's constants


async def collect(engine: Engine) -> dict[str, Any]:
    """Collect the statistics as JSON.

    Returns:
        - `rows`: an estimate of the number of notifications
        - `newest`: the newest `COUNTED_AT_MOST` notifications, by state
        - `in_flight`, and `due` by loop: each at most `COUNTED_AT_MOST`
        - `oldest_due_seconds`, by loop: for how long its oldest row has been due; null if no row is due
        - `rules`, by state; UNSEEN: no reconciliation has seen them yet

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    backlog = await count_backlog(engine)
    oldest = await oldest_due(engine)
    async with acquire(engine) as connection:
        row = (await connection.execute(_STATISTICS)).one()
    return {
        "rows": row.estimated,
        "newest": row.newest,
        "in_flight": backlog.pop("in_flight"),
        "due": backlog,
        "oldest_due_seconds": {
            loop: None if waited is None else round(waited.total_seconds(), 3)
            for loop, waited in oldest.items()
        },
        "rules": row.rules,
    }
