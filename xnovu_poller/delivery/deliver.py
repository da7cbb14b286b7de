"""The delivery of a group: hold → validate → render → trigger → record."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from xnovu_poller import log, metrics, pacing
from xnovu_poller.backpressure.gate import Gate
from xnovu_poller.delivery.record import Recorder, report_dead
from xnovu_poller.delivery.render import read_templates, render
from xnovu_poller.delivery.stages import nothing_sent, partition, prepare
from xnovu_poller.delivery.trigger import Trigger
from xnovu_poller.delivery.validate import Schemas, require_usable
from xnovu_poller.delivery.withdraw import withdraw
from xnovu_poller.errors import LostContact, StoreUnavailable, Unfinished
from xnovu_poller.lifecycle import MAX_LAPSES, Attempt, ErrorDetails, Status
from xnovu_poller.novu import Event, Novu
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications import by_claim
from xnovu_poller.store.notifications.by_claim import LostAttempt
from xnovu_poller.store.notifications.hold import Held, hold
from xnovu_poller.store.notifications.verdict import Verdict
from xnovu_poller.store.templates import Template, TemplateKey
from xnovu_poller.store.workflows import Workflow, read_workflows
from xnovu_poller.templates.render import Renderer

_log = log.get(__name__)

CACHED_WORKFLOWS = 10_000


@dataclass(frozen=True, slots=True)
class Progress:
    """What became of attempts that went through the stages once.

    Attributes:
        states: the states that were written, by notification; those that are missing are late.
        left: how many are left to the next try.
        lapsed: their sender died before, so each must be held by itself.
        patience: until the last send of somebody else has passed.
    """

    states: dict[int, Status]
    left: int = 0
    lapsed: Sequence[Attempt] = ()
    patience: timedelta = timedelta(0)


class Delivery:
    """Delivers groups of notifications; each executor process has one.

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
        self._one_at_a_time = asyncio.Lock()

    async def deliver(
        self, attempts: Sequence[Attempt], *, last: bool, budget: timedelta, limit: timedelta
    ) -> dict[int, Status]:
        """Deliver a group; each row keeps its own outcome.

        If the process dies here, the holds lapse: the next try, or the rescue, goes on under the same
        transaction ids.

        Args:
            attempts: the notifications, each at the attempt that was claimed.
            last: no try of this attempt follows, so an unknown outcome is a failed attempt.
            budget: after this time no chunk of a large notification is begun, and none that runs by itself.
            limit: after this time the rest is not recorded any more if the database is away.

        Returns:
            The states that were written, by notification; those that are missing were late.

        Raises:
            Unfinished: some notifications are left to the next try of this attempt.
            StoreUnavailable: PostgreSQL does not answer; what was sent may not be recorded.
        """
        if self._gate.closed:
            released = await by_claim.release(self._engine, attempts)
            metrics.RELEASED.inc(len(released))
            return released
        begun = time.monotonic()
        leaves = begun + budget.total_seconds()
        recorder = Recorder(
            self._engine,
            self._gate,
            max_failures=self._max_failures,
            last=last,
            until=begun + limit.total_seconds(),
        )
        found = [await self._deliver(attempts, recorder, leaves)]
        # One after the other.
        found += [await self._deliver_lapsed(attempt, recorder, leaves) for attempt in found[0].lapsed]
        if left := sum(progress.left for progress in found):
            raise Unfinished(left, max(progress.patience for progress in found))
        return {id_: state for progress in found for id_, state in progress.states.items()}

    async def record_lost_contact(
        self, attempts: Sequence[Attempt], *, counted: bool = True
    ) -> dict[int, Status]:
        """Record as failed what a run has heard no more of.

        Args:
            attempts: what the run had to deliver.
            counted: the sender may have died. That brings a notification nearer to DEAD, unless it is in a
                group: nobody knows whose fault it was, and each runs by itself from now on.

        Returns:
            The states that were written, by notification.

        Raises:
            StoreUnavailable: PostgreSQL does not answer; the rescue will find the rows.
        """
        error = ErrorDetails.of(LostContact())
        counts = counted and len(attempts) == 1
        lost = [
            LostAttempt(attempt, pacing.failure_pause(1), counted=counts, died=counted)
            for attempt in attempts
        ]
        states = await by_claim.record_lost_contact(
            self._engine, lost, error=error, max_failures=self._max_failures
        )
        if counts:
            metrics.FAILED.labels(error.code).inc(len(states))
        for id_, state in states.items():
            if state is Status.DEAD:
                report_dead(id_, error.code)
        _log.warning("contact lost", recorded=len(states))
        return states

    async def _deliver(
        self, attempts: Sequence[Attempt], recorder: Recorder, leaves: float, *, with_lapsed: bool = False
    ) -> Progress:
        """Take attempts through the stages once."""
        ends = time.monotonic() + self._timeout.total_seconds()
        found = await hold(
            self._engine, attempts, deadline=self._timeout, lease=self._lease, with_lapsed=with_lapsed
        )
        metrics.LATE.inc(len(attempts) - len(found.held) - len(found.lapsed) - len(found.live))
        over = [held for held in found.held if held.withdrawn or held.expired]
        wanted = [held for held in found.held if not (held.withdrawn or held.expired)]
        valid, unfit = await self._validate(wanted)
        ready, unfilled = await self._render(valid)
        # These make no trigger call, so others may go in their place.
        self._gate.refund(len(over) + len(unfit) + len(unfilled))
        withdrawn, triggered = await asyncio.gather(
            withdraw(self._engine, self._novu, over), self._trigger.send(ready, ends=ends, leaves=leaves)
        )
        self._gate.refund(sum(verdict.turned_away for verdict in triggered))
        states, left = await recorder.record([*unfit, *unfilled, *withdrawn, *triggered])
        return Progress(states, left + len(found.live), found.lapsed, found.patience)

    async def _deliver_lapsed(self, attempt: Attempt, recorder: Recorder, leaves: float) -> Progress:
        """Deliver what has lapsed before, one at a time: if it kills the process, it takes no other with it."""
        async with self._one_at_a_time:
            # Begun too late it would be cut off, and that would count as one more death.
            if time.monotonic() >= leaves:
                return Progress({}, left=1)
            return await self._deliver([attempt], recorder, leaves, with_lapsed=True)

    async def _validate(self, wanted: Sequence[Held]) -> tuple[list[tuple[Held, Workflow]], list[Verdict]]:
        """Give each notification its workflow; poison, and what is unfit for its workflow, gets a verdict."""
        try:
            # Poison may lie in the workflow's row itself, so that is not read again.
            workflows = await self._read_workflows([held for held in wanted if held.lapses <= MAX_LAPSES])
        except StoreUnavailable as error:
            return [], nothing_sent(wanted, error)
        return partition(
            prepare(held, partial(self._check, held, workflows.get(held.workflow_id or 0))) for held in wanted
        )

    def _check(self, held: Held, workflow: Workflow | None) -> tuple[Held, Workflow]:
        usable = require_usable(held, workflow)
        self._schemas.check(usable, held.payload)
        return held, usable

    async def _render(
        self, valid: Sequence[tuple[Held, Workflow]]
    ) -> tuple[list[tuple[Held, Event]], list[Verdict]]:
        """Turn each notification into the event that Novu gets; what cannot be filled gets a verdict."""
        try:
            templates = await read_templates(self._engine, valid)
        except StoreUnavailable as error:
            return [], nothing_sent([held for held, _ in valid], error)
        return partition(
            prepare(held, partial(self._fill, held, workflow, templates)) for held, workflow in valid
        )

    def _fill(
        self, held: Held, workflow: Workflow, templates: Mapping[TemplateKey, Template]
    ) -> tuple[Held, Event]:
        return held, render(self._renderer, held, workflow, templates)

    async def _read_workflows(self, group: Sequence[Held]) -> dict[int, Workflow]:
        """Return the workflows of a group; those that changed since they were last read are read again."""
        wanted = {held.workflow_id: held.workflow_version for held in group if held.workflow_id is not None}
        known = {id_: self._workflows[id_] for id_ in wanted if id_ in self._workflows}
        known = {id_: workflow for id_, workflow in known.items() if workflow.version == wanted[id_]}
        if missing := wanted.keys() - known.keys():
            known |= await read_workflows(self._engine, missing)
            if len(self._workflows) > CACHED_WORKFLOWS:
                self._workflows.clear()
            self._workflows |= known
        return known
