"""What is paused: notifications of an enterprise, of a workflow, of one workflow of an enterprise, or all of them.

Claims read the pauses in their own statement (`notifications/paused_sql.py`), so a pause holds from its commit on. Source: docs/adr/0040-pauses.md.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from xnovu_poller.lifecycle import PauseScope
from xnovu_poller.store.engine import Engine, acquire

HOLDS = "(p.ends_at IS NULL OR p.ends_at > now())"
"""The condition of a pause that has not ended."""

ANY_SWITCH = f"""(EXISTS (SELECT FROM notify.pause p WHERE {HOLDS})
            OR EXISTS (SELECT FROM notify.ent_enterprise_limit l WHERE l.burst IS NOT NULL))"""  # noqa: S608 - built of this module's condition
"""The condition that anything is paused or may be paused by a brake."""

BRAKE = "brake"
"""Who has paused an enterprise, if it was its brake."""

# An administrator may write infinity, and Python has no time after the year 9999.
_END = "CASE WHEN p.ends_at < '9000-01-01Z' THEN p.ends_at END"

MOST_READ = 1000
"""The most pauses that `read_all` returns."""


@dataclass(frozen=True, slots=True)
class Paused:
    """What a pause concerns: None stands for all.

    Attributes:
        workflow_key: one workflow of the enterprise, or of all enterprises.
    """

    enterprise_id: str | None = None
    workflow_key: str | None = None

    @property
    def scope(self) -> PauseScope:
        """The kind of what it concerns."""
        if self.workflow_key is not None:
            return PauseScope.WORKFLOW
        return PauseScope.ALL if self.enterprise_id is None else PauseScope.ENTERPRISE


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause as it is in the database.

    Attributes:
        paused_by: the login, and the person if the command knew one; `brake` if the brake of the enterprise did.
        ends_at: None if a person ends it.
    """

    paused: Paused
    reason: str
    paused_by: str
    paused_at: datetime
    ends_at: datetime | None


_PAUSE = text("""
    INSERT INTO notify.pause AS p (enterprise_id, workflow_key, reason, paused_by, ends_at)
    SELECT :enterprise_id, :workflow_key, :reason, concat_ws(' ', session_user, CAST(:person AS text)),
        CAST(:ends_at AS timestamptz)
    WHERE CAST(:ends_at AS timestamptz) > clock_timestamp() OR CAST(:ends_at AS timestamptz) IS NULL
    ON CONFLICT (coalesce(enterprise_id, ''), coalesce(workflow_key, '')) DO UPDATE SET
        reason = EXCLUDED.reason, paused_by = EXCLUDED.paused_by, paused_at = EXCLUDED.paused_at, ends_at = EXCLUDED.ends_at""")


async def pause(
    connection: AsyncConnection, paused: Paused, *, reason: str, person: str, ends_at: datetime | None
) -> bool:
    """Write the pause, unless its end has passed; return whether it was written."""
    values = _bind(paused) | {"reason": reason, "person": person, "ends_at": ends_at}
    return (await connection.execute(_PAUSE, values)).rowcount > 0


_RESUME = text(f"""
    WITH ended AS (
        -- The pause.
        DELETE FROM notify.pause p
        WHERE p.enterprise_id IS NOT DISTINCT FROM :enterprise_id AND p.workflow_key IS NOT DISTINCT FROM :workflow_key
        RETURNING p.enterprise_id, p.workflow_key, p.reason, p.paused_by, p.paused_at, {_END} AS ends_at
    ), released AS (
        -- The brake of the enterprise: a person has released the rows that are there now, so they do not count any more.
        UPDATE notify.ent_enterprise_limit AS l SET released_to = (SELECT coalesce(max(n.id), 0) FROM notify.ent_notification n)
        FROM ended WHERE ended.workflow_key IS NULL AND l.enterprise_id = ended.enterprise_id AND l.burst IS NOT NULL
        RETURNING l.enterprise_id
    ), forgotten AS (
        -- What the brake has counted.
        DELETE FROM notify.brake_count b USING released WHERE b.enterprise_id = released.enterprise_id
    )
    SELECT ended.*, pg_notify('xnovu_due', '') FROM ended""")  # noqa: S608 - built of this module's constants


async def resume(connection: AsyncConnection, paused: Paused) -> Pause | None:
    """Delete the pause and return it; of an enterprise, release the rows that its brake has held."""
    row = (await connection.execute(_RESUME, _bind(paused))).one_or_none()
    return None if row is None else Pause(paused, row.reason, row.paused_by, row.paused_at, row.ends_at)


_READ_ALL = text(f"""
    SELECT p.enterprise_id, p.workflow_key, p.reason, p.paused_by, p.paused_at, {_END} AS ends_at
    FROM notify.pause p WHERE {HOLDS}
    ORDER BY p.paused_at DESC, p.id DESC LIMIT {MOST_READ}""")  # noqa: S608 - built of this module's constants


async def read_all(engine: Engine) -> list[Pause]:
    """Read the pauses that have not ended, the newest first, at most `MOST_READ`.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        rows = await connection.execute(_READ_ALL)
        return [
            Pause(
                Paused(row.enterprise_id, row.workflow_key),
                row.reason,
                row.paused_by,
                row.paused_at,
                row.ends_at,
            )
            for row in rows
        ]


async def count(engine: Engine) -> dict[PauseScope, int]:
    """Count the pauses that have not ended, by scope, at most `MOST_READ` in all.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    counted = Counter(pause.paused.scope for pause in await read_all(engine))
    return {scope: counted[scope] for scope in PauseScope}


_IS_ANY = text(f"SELECT {ANY_SWITCH}")


async def is_any(engine: Engine) -> bool:
    """Return whether anything is paused, or any enterprise has a brake.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        return bool(await connection.scalar(_IS_ANY))


_IS_KNOWN = text("""
    SELECT EXISTS (SELECT FROM notify.ent_notification_workflow w WHERE w.workflow_key = :workflow_key
        AND (w.enterprise_id = :enterprise_id OR w.enterprise_id IS NULL OR CAST(:enterprise_id AS text) IS NULL))""")


async def has_workflow(engine: Engine, paused: Paused) -> bool:
    """Return whether a workflow has the key, for the enterprise if the scope names one.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        return bool(await connection.scalar(_IS_KNOWN, _bind(paused)))


_FORGET = text("""
    WITH counts AS (
        -- What brakes counted for minutes long ago.
        DELETE FROM notify.brake_count WHERE inserted_at < clock_timestamp() - interval '1 day'
    )
    DELETE FROM notify.pause p WHERE p.ends_at < clock_timestamp() - interval '1 day'""")


async def forget(engine: Engine) -> None:
    """Delete pauses that ended by themselves a day ago, and what brakes counted before.

    Raises:
        StoreUnavailable: nothing may have been deleted.
    """
    async with acquire(engine) as connection:
        await connection.execute(_FORGET)


def _bind(paused: Paused) -> dict[str, str | None]:
    return {"enterprise_id": paused.enterprise_id, "workflow_key": paused.workflow_key}
