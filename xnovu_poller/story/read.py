"""Read a story from its three sources; what a source does not answer is not known, and the story has the rest."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from xnovu_poller.errors import XnovuError
from xnovu_poller.novu.activity import Activity
from xnovu_poller.store.engine import Engine, Tenant
from xnovu_poller.store.notifications.life import Life, read_life
from xnovu_poller.story.cause import explain
from xnovu_poller.story.coming import foresee
from xnovu_poller.story.story import Line, Story
from xnovu_poller.story.timeline import list_activity, list_life, list_run
from xnovu_poller.temporal.delivery.history import Run

_LAST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Sources:
    """How to ask Temporal and Novu.

    Attributes:
        read_run: asks Temporal about a run; raises `XnovuError`.
        read_activity: asks Novu about transaction ids; raises `XnovuError`.
        link: the address of a run in Temporal's web interface; None if it is not known.
    """

    read_run: Callable[[str], Awaitable[Run | None]]
    read_activity: Callable[[Sequence[str]], Awaitable[Activity]]
    link: Callable[[str], str | None]


async def read_story(engine: Engine | Tenant, notification_id: int, sources: Sources) -> Story | None:
    """Read the story of a notification; return None if there is none of this id.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    life = await read_life(engine, notification_id)
    return None if life is None else await compose_story(life, sources)


async def compose_story(life: Life, sources: Sources, *, asks: bool = True) -> Story:
    """Return the story of a life that PostgreSQL has answered.

    Args:
        asks: also ask Temporal and Novu, which may take seconds.
    """
    unknown: list[str] = []
    run: Run | None = None
    activity: Activity | None = None
    if asks:
        run, activity = await asyncio.gather(
            _read_run(life, sources, unknown), _read_activity(life, sources, unknown)
        )
    lines = [
        *list_life(life, run),
        *(list_run(run) if run is not None else ()),
        *(list_activity(activity) if activity is not None else ()),
    ]
    return Story(
        id=life.id,
        enterprise_id=life.enterprise_id,
        workflow_key=life.workflow_key,
        status=life.status,
        attempt=life.attempt,
        cause=explain(life),
        lines=sorted(lines, key=_moment),
        next=foresee(life),
        unknown=sorted(unknown),
        transaction_id=life.transaction_id,
        run_id=life.run_id,
        temporal_url=None if life.run_id is None else sources.link(life.run_id),
    )


def _moment(line: Line) -> datetime:
    return line.at or _LAST


async def _read_run(life: Life, sources: Sources, unknown: list[str]) -> Run | None:
    if life.run_id is None:
        return None
    try:
        run = await sources.read_run(life.run_id)
    except XnovuError as error:
        unknown.append(f"which worker claimed it, and how its run went: {error}")
        return None
    if run is None:
        unknown.append(
            "which worker claimed it, and how its run went: Temporal does not have the run, or has forgotten it"
        )
    return run


async def _read_activity(life: Life, sources: Sources, unknown: list[str]) -> Activity | None:
    asked = transactions_of(life)
    if not asked:
        return None
    try:
        return await sources.read_activity(asked)
    except XnovuError as error:
        unknown.append(f"what Novu did with it: {error}")
        return None


def transactions_of(life: Life) -> list[str]:
    """Return the transaction ids that Novu may have accepted."""
    if life.chunks:
        return [chunk.transaction_id for chunk in life.chunks if chunk.outcome in {"accepted", "unknown"}]
    may_have = life.status == "SENT" or life.unknown_outcomes > 0 or life.error.get("delivery") == "unknown"
    return [life.transaction_id] if may_have else []
