"""Find the rules that a comparison must look at, without reading what tenants wrote in them."""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from xnovu_poller.lifecycle import RuleStatus
from xnovu_poller.store.engine import Engine, acquire

_PAGE = 5_000
"""Versions of rules that are read together."""

DEFAULT_FIRINGS = 120
"""Firings a minute of an enterprise without a limit of its own (ADR 29)."""


@dataclass(frozen=True, slots=True)
class RuleVersion:
    """What a comparison knows of a rule without its text.

    Attributes:
        is_followed: its schedule follows this version; otherwise the change waits to be followed.
    """

    updated_at: datetime
    is_followed: bool
    status: RuleStatus | None
    done_for: datetime | None


_UNFOLLOWED = text("""
    WITH RECURSIVE enterprise AS (
        -- The enterprises that have changes, one index entry each, however many changes they have.
        (SELECT r.enterprise_id FROM notify.ent_notification_rule r
        WHERE r.followed_at IS DISTINCT FROM r.updated_at ORDER BY r.enterprise_id USING ~<~ LIMIT 1)
        UNION ALL
        SELECT (SELECT r.enterprise_id FROM notify.ent_notification_rule r
            WHERE r.followed_at IS DISTINCT FROM r.updated_at AND r.enterprise_id ~>~ enterprise.enterprise_id
            ORDER BY r.enterprise_id USING ~<~ LIMIT 1)
        FROM enterprise WHERE enterprise.enterprise_id IS NOT NULL
    )
    SELECT change.id, enterprise.enterprise_id
    FROM enterprise CROSS JOIN LATERAL (
        -- The oldest changes of an enterprise.
        SELECT r.id, row_number() OVER (ORDER BY r.updated_at, r.id) AS place
        FROM notify.ent_notification_rule r
        WHERE r.enterprise_id = enterprise.enterprise_id AND r.followed_at IS DISTINCT FROM r.updated_at
            AND r.id <> ALL (CAST(:without AS bigint[]))
        ORDER BY r.updated_at, r.id LIMIT 20
    ) AS change
    WHERE enterprise.enterprise_id <> ALL (CAST(:excluded AS text[]))
    ORDER BY change.place, enterprise.enterprise_id ~<=~ :after, enterprise.enterprise_id USING ~<~ LIMIT 200""")


async def find_unfollowed(
    engine: Engine, *, without: Collection[int], excluded: Collection[str], after: str
) -> list[tuple[int, str]]:
    """Find changed rules that no schedule follows yet, with their enterprises: those in turn, each with its oldest first.

    Args:
        without: rules that are left out.
        excluded: enterprises that are left out.
        after: the enterprise whose rule came last; the next enterprise begins.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    values = {"without": list(without), "excluded": list(excluded), "after": after}
    async with acquire(engine) as connection:
        return [(row.id, row.enterprise_id) for row in await connection.execute(_UNFOLLOWED, values)]


_VERSIONS = text("""
    SELECT r.id, r.enterprise_id, r.updated_at, r.followed_at IS NOT DISTINCT FROM r.updated_at AS is_followed,
        r.rule_status::text AS rule_status, r.done_for
    FROM notify.ent_notification_rule r
    WHERE r.id > :after ORDER BY r.id LIMIT 5000""")


async def read_versions(engine: Engine) -> AsyncIterator[tuple[int, str, RuleVersion]]:
    """Read the id, enterprise and version of every rule, by id: all that were committed before the call.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    after, size = 0, _PAGE
    while size == _PAGE:
        async with acquire(engine) as connection:
            rows = (await connection.execute(_VERSIONS, {"after": after})).all()
        for row in rows:
            status = row.rule_status and RuleStatus(row.rule_status)
            yield (
                row.id,
                row.enterprise_id,
                RuleVersion(row.updated_at, row.is_followed, status, row.done_for),
            )
        size = len(rows)
        after = rows[-1].id if rows else after


@dataclass(slots=True)
class Allowance:
    """What the rules of an enterprise may still do.

    Attributes:
        firings: how often they may fire a minute, all together.
        hourly_left: firings an hour that are left of it; below 0 if it was lowered.
        last_id: the last rule that is served, if there are too many; None if all are.
    """

    firings: int = DEFAULT_FIRINGS
    hourly_left: int = DEFAULT_FIRINGS * 60
    last_id: int | None = None


_ALLOWANCES = text("""
    SELECT enterprise_id, counted.last_id, allowed.firings, allowed.firings * 60 - coalesce(counted.hourly, 0) AS hourly_left
    FROM (
        -- What the rules of each enterprise use; done rules do not count.
        SELECT r.enterprise_id, CASE WHEN count(*) > :most THEN (array_agg(r.id ORDER BY r.id))[:most] END AS last_id,
            sum(r.hourly_firings) AS hourly
        FROM notify.ent_notification_rule r
        WHERE r.rule_status IS DISTINCT FROM 'DONE'
        GROUP BY r.enterprise_id
    ) AS counted
    FULL JOIN notify.ent_enterprise_limit AS l USING (enterprise_id),
    LATERAL (SELECT coalesce(l.firings, :default_firings) AS firings) AS allowed""")


async def read_allowances(engine: Engine, most: int) -> dict[str, Allowance]:
    """Read what the rules of each enterprise that has rules or a limit may still do.

    Args:
        most: the most rules of an enterprise that are served; done rules do not count.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    values = {"most": most, "default_firings": DEFAULT_FIRINGS}
    async with acquire(engine) as connection:
        return {
            row.enterprise_id: Allowance(row.firings, row.hourly_left, row.last_id)
            for row in await connection.execute(_ALLOWANCES, values)
        }
