"""The audit: a line for each action of a person, with the number of rows that it changed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from xnovu_poller.store.engine import Engine, acquire


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What a person does, as its line in the audit begins.

    Attributes:
        actor: who: a person, not the login of the database, which PostgreSQL adds.
        enterprise: whose rows were chosen; None: rows of any enterprise.
        filters: which rows were chosen, as JSON without recipients.
        counted: how many rows were counted before.
    """

    action: str
    actor: str
    enterprise: str | None
    filters: Mapping[str, Any]
    counted: int | None
    reason: str | None = None


_START = text("""
    INSERT INTO notify.ent_audit (action, actor, enterprise_id, filters, reason, counted)
    VALUES (:action, :actor, :enterprise, CAST(:filters AS jsonb), :reason, :counted) RETURNING id""")


async def start(engine: Engine, act: Act) -> int:
    """Write the line of an action that begins, and return its id. The arrows count in it what they change.

    Raises:
        StoreUnavailable: it may not have been written.
    """
    async with acquire(engine) as connection:
        return await _start(connection, act)


async def _start(connection: AsyncConnection, act: Act) -> int:
    values = {
        "action": act.action,
        "actor": act.actor,
        "enterprise": act.enterprise,
        "filters": json.dumps(dict(act.filters)),
        "reason": act.reason,
        "counted": act.counted,
    }
    return int(await connection.scalar(_START, values))


_FINISH = text("""
    UPDATE notify.ent_audit SET finished_at = clock_timestamp(), changed = changed + :changed WHERE id = :id""")


async def finish(engine: Engine, line: int, changed: int = 0) -> None:
    """Write that an action has ended.

    Args:
        changed: how many rows it changed that no arrow has counted.

    Raises:
        StoreUnavailable: it may not have been written.
    """
    async with acquire(engine) as connection:
        await connection.execute(_FINISH, {"id": line, "changed": changed})


async def record(connection: AsyncConnection, act: Act) -> None:
    """Write the line of an action in the transaction that does it."""
    line = await _start(connection, act)
    await connection.execute(_FINISH, {"id": line, "changed": 0})


@dataclass(frozen=True, slots=True)
class Done:
    """An action as its line in the audit has it; `finished_at` is None while it runs, and if it was interrupted."""

    action: str
    actor: str
    login: str
    enterprise_id: str | None
    filters: Mapping[str, Any]
    reason: str | None
    counted: int | None
    changed: int
    started_at: datetime
    finished_at: datetime | None


_READ = text("""
    SELECT action, actor, login, enterprise_id, filters, reason, counted, changed, started_at, finished_at
    FROM notify.ent_audit WHERE id = :id""")


async def read(engine: Engine, line: int) -> Done | None:
    """Return an action; None if the audit does not have it.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        row = (await connection.execute(_READ, {"id": line})).mappings().one_or_none()
    return None if row is None else Done(**row)


_CHANGED = text("SELECT a.changed FROM notify.ent_audit a WHERE a.id = :id")


async def read_changed(engine: Engine, line: int) -> int:
    """Return how many rows an action has changed so far.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        return int(await connection.scalar(_CHANGED, {"id": line}))


# The oldest lines have the lowest ids, so only these are looked at.
_PURGE = text("""
    DELETE FROM notify.ent_audit WHERE id = ANY (ARRAY(
        SELECT oldest.id FROM (SELECT a.id, a.started_at FROM notify.ent_audit a ORDER BY a.id LIMIT 1000) AS oldest
        WHERE oldest.started_at < clock_timestamp() - make_interval(secs => :keep)))""")


async def purge(engine: Engine, keep: timedelta) -> int:
    """Delete lines that are older than `keep`, a thousand at most, and return how many.

    Raises:
        StoreUnavailable: nothing may have been deleted.
    """
    async with acquire(engine) as connection:
        return (await connection.execute(_PURGE, {"keep": keep.total_seconds()})).rowcount
