"""The walk of a group: hold → validate → render → trigger → record."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from xnovu_poller import log, metrics, pacing
from xnovu_poller.backpressure.gate import Gate
from xnovu_poller.delivery import render
from xnovu_poller.delivery.record import Recorder
from xnovu_poller.delivery.render import Valid
from xnovu_poller.delivery.trigger import Ending, Ready, Trigger, Verdict
from xnovu_poller.delivery.validate import Schemas, usable
from xnovu_poller.delivery.withdraw import withdraw
from xnovu_poller.errors import LostContact, StoreError, StoreUnavailable, Unfinished, XnovuError
from xnovu_poller.lifecycle import MAX_LAPSES, Attempt, ErrorDetails, seconds
from xnovu_poller.novu import Novu
from xnovu_poller.store import reads
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications import by_claim, by_hold
from xnovu_poller.store.notifications.hold import Held, hold
from xnovu_poller.store.reads import Workflow
from xnovu_poller.templates.render import Renderer

_log = log.get(__name__)

CACHED_WORKFLOWS = 10_000

Subject = TypeVar("Subject")
Stage = TypeVar("Stage")


@dataclass(frozen=True, slots=True)
class Walk:
    """One walk through the stages, as it ended.

    Attributes:
        endings: how each notification that was held is recorded.
        alone: has lapsed before and must be held by itself.
        live: so many are being sent by somebody else.
        patience: until the last of those sends has passed.
    """

    endings: list[Ending]
    alone: Sequence[Attempt] = ()
    live: int = 0
    patience: timedelta = timedelta(0)

    @property
    def left(self) -> int:
        """How many are left to the next try."""
        return self.live + sum(ending in {Ending.UNKNOWN, Ending.UNFINISHED} for ending in self.endings)


class Delivery:
    """Delivers groups of notifications; one for each executor process.

    Args:
        engine: where the rows are.
        novu: where they go.
        gate: open or closed; while it is closed nothing is begun.
        timeout: of one call to Novu, and of the send that one hold covers.
        lease: how long a row stays held once work on it has begun.
        max_failures: counted failures before DEAD.
    """

    def __init__(
        self,
        engine: Engine,
        novu: Novu,
        gate: Gate,
        *,
        timeout: timedelta,
        lease: timedelta,
        max_failures: int,
    ) -> None:
        self._engine = engine
        self._novu = novu
        self._gate = gate
        self._timeout = timeout
        self._lease = lease
        self._max_failures = max_failures
        self._trigger = Trigger(engine, novu, gate.breaker, timeout)
        self._renderer = Renderer()
        self._schemas = Schemas()
        self._workflows: dict[int, Workflow] = {}
        self._lone = asyncio.Lock()

    async def deliver(
        self, works: Sequence[Attempt], *, last: bool, budget: timedelta, limit: timedelta
    ) -> list[Ending]:
        """Deliver a group; each row tells its own outcome.

        If the process dies here, the holds lapse: the next try, or the rescue, goes on under the same
        transaction ids.

        Args:
            works: the notifications, each at the attempt that was claimed.
            last: no try of this attempt follows, so an unknown outcome is a failed attempt.
            budget: no chunk of a large notification, and none that runs alone, is begun after so long.
            limit: after so long the rest is not recorded any more if the database is away.

        Returns:
            How each was recorded, in no order; without those that were late.

        Raises:
            Unfinished: some notifications are left to the next try of this attempt.
            StoreUnavailable: PostgreSQL does not answer; what was sent may not be recorded.
        """
        if self._gate.closed:
            released = await by_claim.release(self._engine, works)
            metrics.RELEASED.inc(len(released))
            return [Ending.RELEASED] * len(released)
        begun = time.monotonic()
        leaves = begun + seconds(budget)
        recorder = Recorder(self._engine, self._gate, self._max_failures, begun + seconds(limit))
        walks = [await self._walk(works, recorder, last=last, leaves=leaves)]
        for work in walks[0].alone:
            # One at a time: should it kill the process, it takes no other with it.
            async with self._lone:
                # Begun too late it would be cut off, and that would count as one more death.
                walks.append(
                    await self._walk([work], recorder, last=last, leaves=leaves, alone=True)
                    if time.monotonic() < leaves
                    else Walk([Ending.UNFINISHED])
                )
        if left := sum(walk.left for walk in walks):
            raise Unfinished(left, max(walk.patience for walk in walks))
        return [ending for walk in walks for ending in walk.endings]

    async def lose(self, works: Sequence[Attempt], *, counted: bool = True) -> None:
        """Record as failed what the workflow has heard no more of.

        Args:
            works: what the workflow was to deliver.
            counted: the sender may have died. That brings them nearer to DEAD, unless it is a group:
                nobody knows whose fault it was, and each runs alone from now on.

        Raises:
            StoreUnavailable: PostgreSQL does not answer; the rescue will find the rows.
        """
        fault = ErrorDetails.of(LostContact())
        died, counted = counted, counted and len(works) == 1
        lost = await by_hold.lose(
            self._engine,
            works,
            fault=fault,
            wait=pacing.failure_pause(1),
            max_failures=self._max_failures,
            counted=counted,
            died=died,
        )
        if counted:
            metrics.FAILED.labels(fault.code).inc(len(lost))
        _log.warning("contact lost", failed=len(lost))

    async def _walk(
        self, works: Sequence[Attempt], recorder: Recorder, *, last: bool, leaves: float, alone: bool = False
    ) -> Walk:
        """Walk the stages once; a fault of one notification is its own verdict."""
        ends = time.monotonic() + seconds(self._timeout)
        found = await hold(self._engine, works, deadline=self._timeout, lease=self._lease, alone=alone)
        metrics.LATE.inc(len(works) - len(found.held) - len(found.alone) - len(found.live))
        over = [one for one in found.held if one.withdrawn or one.expired]
        wanted = [one for one in found.held if not (one.withdrawn or one.expired)]
        doing = [
            _watched([one], _alone(withdraw(self._engine, self._novu, one)), sends=False) for one in over
        ]
        ready, verdicts = await self._prepare(wanted)
        for call in self._trigger.calls(ready):
            sending = self._trigger.send(call, ends=ends, leaves=leaves)
            doing.append(_watched([one.held for one in call], sending, sends=True))
        self._gate.refund(len(over) + len(verdicts))
        tried = [verdict for call in await asyncio.gather(*doing) for verdict in call]
        self._gate.refund(sum(verdict.turned_away is not None for verdict in tried[len(over) :]))
        verdicts += tried
        endings = await recorder.record(verdicts, last=last)
        return Walk(endings, found.alone, len(found.live), found.patience)

    async def _prepare(self, wanted: Sequence[Held]) -> tuple[list[Ready], list[Verdict]]:
        """Take notifications through the stages in which nothing is sent; give those to be sent, and the rest."""
        verdicts: list[Verdict] = []
        try:
            valid = _sort(await self._validate(wanted), verdicts)
            return _sort(await self._render(valid), verdicts), verdicts
        except StoreUnavailable as error:
            # Unless somebody says that nothing was sent, it will look as if the sender had died.
            return [], [Verdict(Ending.UNFINISHED, one, ErrorDetails.of(error)) for one in wanted]

    async def _validate(self, wanted: Sequence[Held]) -> list[Valid | Verdict]:
        """Sort out poison, and what is unfit for its workflow."""
        # Poison may lie in the workflow's row itself: that is not read again.
        workflows = await self._known([one for one in wanted if one.lapses <= MAX_LAPSES])

        def fit(held: Held) -> Valid:
            workflow = usable(held, workflows.get(held.workflow_id or 0))
            self._schemas.check(workflow, held.payload)
            return Valid(held, workflow)

        return [_judged(one, fit, one) for one in wanted]

    async def _render(self, valid: Sequence[Valid]) -> list[Ready | Verdict]:
        """Add the payload that Novu is to get."""
        known = await render.templates(self._engine, valid)

        def filled(one: Valid) -> Ready:
            return Ready(one.held, one.workflow.key, render.payload(self._renderer, one, known))

        return [_judged(one.held, filled, one) for one in valid]

    async def _known(self, held: Sequence[Held]) -> dict[int, Workflow]:
        """Give the workflows of a group; those that changed since they were last read are read again."""
        wanted = {one.workflow_id: one.workflow_version for one in held if one.workflow_id is not None}
        known = {id_: self._workflows[id_] for id_ in wanted if id_ in self._workflows}
        known = {id_: workflow for id_, workflow in known.items() if workflow.version == wanted[id_]}
        if missing := wanted.keys() - known.keys():
            known |= await reads.workflows(self._engine, missing)
            if len(self._workflows) > CACHED_WORKFLOWS:
                self._workflows.clear()
            self._workflows |= known
        return known


def _sort(judged: Sequence[Stage | Verdict], verdicts: list[Verdict]) -> list[Stage]:
    """Give what goes on to the next stage; the verdicts join the others."""
    verdicts += [one for one in judged if isinstance(one, Verdict)]
    return [one for one in judged if not isinstance(one, Verdict)]


def _judged(held: Held, stage: Callable[[Subject], Stage], subject: Subject) -> Stage | Verdict:
    """Take one notification through a stage in which nothing is sent."""
    try:
        return stage(subject)
    except XnovuError as error:
        return Verdict(Ending.DEAD, held, ErrorDetails.of(error))
    except Exception as error:  # noqa: BLE001 - a bug is not to take the group along
        return _bug(held, error, unknown=False)


async def _alone(doing: Coroutine[Any, Any, Verdict]) -> list[Verdict]:
    return [await doing]


async def _watched(
    group: Sequence[Held], doing: Coroutine[Any, Any, list[Verdict]], *, sends: bool
) -> list[Verdict]:
    """Let a fault be of those alone whom it met: the rest of their group is recorded all the same."""
    try:
        return await doing
    except StoreError as error:
        ending = Ending.UNKNOWN if sends else Ending.UNFINISHED
        return [Verdict(ending, held, ErrorDetails.of(error), unknown=sends) for held in group]
    except Exception as error:  # noqa: BLE001 - a bug is not to take the group along
        return [_bug(held, error, unknown=sends) for held in group]


def _bug(held: Held, error: Exception, *, unknown: bool) -> Verdict:
    name = type(error).__name__
    _log.error("delivery has a bug", notification=held.hold.notification_id, bug=name, at=log.trace(error))
    return Verdict(Ending.FAILED, held, ErrorDetails(XnovuError.code, f"a bug: {name}"), unknown=unknown)
