"""What a person does with pauses, by command or on the page: each act leaves a line in the audit."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from xnovu_poller.store import audit, pauses
from xnovu_poller.store.audit import Act
from xnovu_poller.store.engine import Engine, acquire
from xnovu_poller.store.pauses import Pause, Paused


async def pause(
    engine: Engine, paused: Paused, *, reason: str, actor: str, ends_at: datetime | None = None
) -> bool:
    """Pause from now on; a pause of the same scope is replaced. Claims that have committed go on.

    Args:
        reason: why, in at most 1000 characters.
        actor: the person.
        ends_at: when it ends by itself, by the database's clock.

    Returns:
        False if that time has passed already; then nothing was written.

    Raises:
        StoreUnavailable: it may not have been written.
    """
    async with _transaction(engine) as connection:
        is_paused = await pauses.pause(
            connection, paused, reason=reason, person=f"({actor})", ends_at=ends_at
        )
        if is_paused:
            await audit.record(connection, _act("pause", paused, actor, reason))
    return is_paused


async def resume(engine: Engine, paused: Paused, *, actor: str) -> Pause | None:
    """End a pause, and wake the workers; of an enterprise, release the rows that its brake has held.

    Returns:
        The pause; None if there was none of exactly this scope. It may have ended by itself.

    Raises:
        StoreUnavailable: it may not have ended.
    """
    async with _transaction(engine) as connection:
        ended = await pauses.resume(connection, paused)
        if ended is not None:
            await audit.record(connection, _act("resume", paused, actor, None))
    return ended


@asynccontextmanager
async def _transaction(engine: Engine) -> AsyncIterator[AsyncConnection]:
    async with acquire(engine) as connection:
        transacting = await connection.execution_options(isolation_level="READ COMMITTED")
        async with transacting.begin():
            yield transacting


def _act(action: str, paused: Paused, actor: str, reason: str | None) -> Act:
    return Act(
        action=action,
        actor=actor,
        enterprise=paused.enterprise_id,
        filters={} if paused.workflow_key is None else {"workflow": paused.workflow_key},
        counted=None,
        reason=reason,
    )
