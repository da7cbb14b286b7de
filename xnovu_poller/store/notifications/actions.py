"""What a person does with notifications, by command or on the page: retract or revive them, in batches, with a line in the audit."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Generic

from xnovu_poller.lifecycle import Status
from xnovu_poller.store import audit
from xnovu_poller.store.audit import Act
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications.batches import Result, in_batches
from xnovu_poller.store.notifications.by_operator import (
    RETRACTABLE,
    REVIVABLE,
    Retracted,
    Revived,
    retract,
    revive,
)
from xnovu_poller.store.notifications.filters import Filters
from xnovu_poller.store.notifications.walk import walk

UNSENT = tuple(status for status in RETRACTABLE if status is not Status.SENT)
"""Those that are retracted unless somebody asks for SENT."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What became of a notification: a word for programs and a sentence for people."""

    word: str
    sentence: str
    is_changed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Action(Generic[Result]):
    """An action on notifications.

    Attributes:
        name: a verb.
        done: its participle.
        states: those from which it leads.
        default: those that it changes if neither ids nor states are given.
        act: the arrow; it changes only rows in these states, and counts them in this line of the audit.
        describe: the effect on a notification; None if it is locked, in another state, or missing.
        reason: why, for the audit.
    """

    name: str
    done: str
    states: tuple[Status, ...]
    default: tuple[Status, ...]
    act: Callable[[Engine, Sequence[int], Sequence[Status], int], Awaitable[Result]]
    describe: Callable[[Result, int], Effect | None]
    reason: str | None = None

    def effect_on(self, id_: int, result: Result) -> Effect:
        """Return what became of a notification."""
        effect = self.describe(result, id_)
        if effect is not None:
            return effect
        if id_ in result.locked:
            return self.unchanged(
                "locked", "another session has locked its row; end that transaction, or try again later"
            )
        return self.unfit(result.unfit.get(id_))

    def preview(self, status: Status | None) -> Effect:
        """Return the effect that the action would have on a notification in this state."""
        return Effect("fit", f"is {status}", is_changed=True) if status in self.states else self.unfit(status)

    def unfit(self, status: Status | None) -> Effect:
        """Return the effect on a notification that is in a state from which this does not lead, or is missing."""
        if status is None:
            return self.unchanged("missing", "no notification has this id")
        return self.unchanged("unfit", f"it is {status}")

    def unchanged(self, word: str, reason: str) -> Effect:
        """Return the effect on a notification that stays as it is."""
        return Effect(word, f"not {self.done}: {reason}")


async def change_all(
    engine: Engine,
    action: Action[Any],
    line: int,
    ids: AsyncIterator[Sequence[int]],
    states: Sequence[Status],
) -> AsyncGenerator[dict[int, Effect], None]:
    """Change notifications in batches, and yield what became of each batch; end the line of the audit after the last.

    Args:
        line: what `audit.start` returned.
        states: change only notifications in one of these.

    Raises:
        StoreUnavailable: the batches that were yielded are changed, and the next may be. The line shows how many were.
    """
    batches = in_batches(ids, lambda batch: action.act(engine, batch, states, line))
    async with aclosing(batches):
        async for settled, result in batches:
            yield {id_: action.effect_on(id_, result) for id_ in settled}
    await audit.finish(engine, line)


async def read_ids(engine: Engine, filters: Filters) -> AsyncIterator[Sequence[int]]:
    """Yield the ids of the notifications that match, slice by slice.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async for part in walk(engine, filters):
        yield list(part.ids)


def describe_act(action: Action[Any], actor: str, filters: Filters, counted: int, **more: object) -> Act:
    """Return the line of the audit for an action on the notifications that match.

    Args:
        more: what the line keeps besides the filters, such as `via`.
    """
    return Act(
        action=action.name,
        actor=actor,
        enterprise=filters.enterprise,
        filters=filters.to_json() | more,
        counted=counted,
        reason=action.reason,
    )


def build_retract(reason: str) -> Action[Retracted]:
    """Return the action that withdraws notifications; the reason stays in their rows."""

    async def act(engine: Engine, ids: Sequence[int], states: Sequence[Status], line: int) -> Retracted:
        return await retract(engine, ids, reason, states=states, audit=line)

    return Action(
        name="retract",
        done="retracted",
        states=RETRACTABLE,
        default=UNSENT,
        act=act,
        describe=_describe_retracted,
        reason=reason,
    )


def _describe_retracted(result: Retracted, id_: int) -> Effect | None:
    match result.states.get(id_):
        case None:
            return None
        case Status.RETRACTED:
            return Effect("retracted", "RETRACTED", is_changed=True)
        case Status.SENT:
            return Effect(
                "cancelled", "SENT: Novu is asked to cancel the steps that it delays", is_changed=True
            )
        case status:
            return Effect(
                "requested",
                f"{status}: a send is under way or has an unknown outcome, which decides",
                is_changed=True,
            )


def build_revive(*, force: bool) -> Action[Revived]:
    """Return the action that requeues notifications that have ended.

    Args:
        force: also those that Novu may have accepted too long ago to drop a repeat.
    """

    async def act(engine: Engine, ids: Sequence[int], states: Sequence[Status], line: int) -> Revived:
        return await revive(engine, ids, force=force, states=states, audit=line)

    return Action(
        name="revive",
        done="revived",
        states=REVIVABLE,
        default=(Status.DEAD,),
        act=act,
        describe=_describe_revived,
    )


def _describe_revived(result: Revived, id_: int) -> Effect | None:
    if id_ in result.revived:
        return Effect("revived", f"{result.revived[id_]} again", is_changed=True)
    if id_ in result.doubtful:
        return Effect(
            "doubtful",
            "not revived: Novu may have accepted it more than 25 days ago; use --force to send it anyway",
        )
    return None
