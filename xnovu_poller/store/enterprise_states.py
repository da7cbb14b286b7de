"""The enterprises, with their limits, their pause, what waits and what became of the last day: for the operator's page."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from xnovu_poller.store.engine import Engine, acquire
from xnovu_poller.store.pauses import HOLDS, Pause, Paused

PAGE = 25
"""Enterprises of one page."""

COUNTED_OF_EACH = 1_000
"""Each count stops here."""


@dataclass(frozen=True, slots=True)
class EnterpriseState:
    """An enterprise as it is now; each count stops at `COUNTED_OF_EACH`.

    Attributes:
        rate, in_flight_limit, firings, burst: its limits; None: no limit.
        pause: of the whole enterprise.
        pending, in_flight, failed: its notifications in these states.
        sent, dead, retracted: those in these states that were inserted in the last 24 hours.
    """

    id: str
    name: str | None
    locale: str | None
    time_zone: str | None
    rate: float | None
    in_flight_limit: int | None
    firings: int | None
    burst: int | None
    pause: Pause | None
    pending: int
    in_flight: int
    failed: int
    sent: int
    dead: int
    retracted: int


_STATES = ("PENDING", "FAILED", "SENT", "DEAD", "RETRACTED")


def _next(condition: str) -> str:
    """Return the subquery of the first enterprise in the order of bytes that fits, in any table that names one.

    The index of notifications has the collation of the database, and serves only comparisons in that collation; the other
    tables have "C", whose order is the same.

    Args:
        condition: on `{id}`, with `{at_least}` and `{after}` as operators and `{bytes}` behind what it is compared with.
    """
    of_notifications = condition.format(id="n.enterprise_id", at_least="~>=~", after="~>~", bytes="")
    of_others = condition.format(id="e.enterprise_id", at_least=">=", after=">", bytes=' COLLATE "C"')
    sources = [
        f"""(SELECT n.enterprise_id AS id FROM notify.ent_notification n
                WHERE n.notification_status = '{state}' AND n.attempt >= 0 AND {of_notifications}
                ORDER BY n.notification_status, n.enterprise_id USING ~<~ LIMIT 1)"""  # noqa: S608 - built of this module's words
        for state in _STATES
    ]
    sources.append(f"""(SELECT n.enterprise_id FROM notify.ent_notification n
                WHERE n.notification_status = 'PROCESSING' AND {of_notifications}
                ORDER BY n.enterprise_id USING ~<~ LIMIT 1)""")  # noqa: S608 - as above
    sources += [
        f"""(SELECT e.enterprise_id COLLATE "default" FROM notify.{table} e
                WHERE {of_others} ORDER BY e.enterprise_id LIMIT 1)"""  # noqa: S608 - as above
        for table in ("ent_enterprise", "ent_enterprise_limit", "pause")
    ]
    found = "\n                UNION ALL\n                ".join(sources)
    return f"""(
            SELECT first.id FROM (
                {found}
            ) AS first ORDER BY first.id USING ~<~ LIMIT 1)"""  # noqa: S608 - as above


def _count(state: str, condition: str = "") -> str:
    """Return the subquery that counts an enterprise's rows in a state."""
    return f"""(SELECT count(*) FROM (
            SELECT FROM notify.ent_notification n
            WHERE n.notification_status = '{state}' AND n.enterprise_id = page.id{condition}
            LIMIT {COUNTED_OF_EACH}) AS counted)"""  # noqa: S608 - as above


_LISTED = " AND n.attempt >= 0"
_LAST_DAY = f"{_LISTED} AND n.created_at >= now() - interval '24 hours'"

_PAGE = text(f"""
    WITH RECURSIVE named (id) AS (
        -- The enterprises in the order of bytes: each step finds the next, by the indexes.
        SELECT {_next("{id} {at_least} CAST(:prefix AS text){bytes} AND {id} {after} CAST(:after AS text){bytes}")}
        UNION ALL
        SELECT {_next("{id} {after} named.id{bytes}")}
        FROM named WHERE starts_with(named.id, :prefix)
    ), page AS MATERIALIZED (
        -- Those of this page, and whether there is another.
        SELECT named.id FROM named WHERE starts_with(named.id, :prefix) LIMIT {PAGE + 1}
    )
    SELECT page.id, e.name, e.locale, e.time_zone, l.rate, l.in_flight AS in_flight_limit, l.firings, l.burst,
        p.reason, p.paused_by, p.paused_at, CASE WHEN p.ends_at < '9000-01-01Z' THEN p.ends_at END AS ends_at,
        {_count("PENDING", _LISTED)} AS pending,
        {_count("PROCESSING")} AS in_flight,
        {_count("FAILED", _LISTED)} AS failed,
        {_count("SENT", _LAST_DAY)} AS sent,
        {_count("DEAD", _LAST_DAY)} AS dead,
        {_count("RETRACTED", _LAST_DAY)} AS retracted
    FROM page
    LEFT JOIN notify.ent_enterprise e ON e.enterprise_id = page.id COLLATE "C"
    LEFT JOIN notify.ent_enterprise_limit l ON l.enterprise_id = page.id COLLATE "C"
    LEFT JOIN notify.pause p ON p.enterprise_id = page.id COLLATE "C" AND p.workflow_key IS NULL AND {HOLDS}
    ORDER BY page.id USING ~<~""")  # noqa: S608 - built of this module's statements


async def list_enterprises(
    engine: Engine, *, prefix: str = "", after: str = ""
) -> tuple[list[EnterpriseState], str | None]:
    """Read a page of enterprises in the order of their bytes, and after which the next page begins.

    Args:
        prefix: only those that begin with it.
        after: the last of the page before.

    Returns:
        None as the second value if there is no further page.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        rows = (await connection.execute(_PAGE, {"prefix": prefix, "after": after})).mappings().all()
    found = [_to_state(dict(row)) for row in rows[:PAGE]]
    return found, found[-1].id if len(rows) > PAGE else None


def _to_state(row: dict[str, object]) -> EnterpriseState:
    reason, paused_by, paused_at, ends_at = (
        row.pop(name) for name in ("reason", "paused_by", "paused_at", "ends_at")
    )
    pause = None
    if isinstance(reason, str) and isinstance(paused_at, datetime):
        end = ends_at if isinstance(ends_at, datetime) else None
        pause = Pause(Paused(str(row["id"])), reason, str(paused_by), paused_at, end)
    return EnterpriseState(**row, pause=pause)  # type: ignore[arg-type] # the statement names them
