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
    """The result of taking attempts through the stages once.

    Attributes:
        states: the states that were written, by notification; a missing notification is late.
        left: how many are left for the next try.
        lapsed: attempts whose sender died before, so each must be delivered by itself.
        patience: how long until the last live send of another process has passed.
    """

    states: dict[int, Status]
    left: int = 0
    lapsed: Sequence[Attempt] = ()
    patience: timedelta = timedelta(0)


class Delivery:
    """Delivers groups of notifications; each executor process has its own.

    Args:
        gate: while it is closed, groups are released at once.
        timeout: of a call to Novu, and of the send that a hold covers.
        lease: how long a row is leased once work on it has begun.
        max_failures: with this many failures that count, a notification becomes DEAD.
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
        self._delivering_lapsed = asyncio.Lock()

    async def deliver(
        self, attempts: Sequence[Attempt], *, last: bool, budget: timedelta, limit: timedelta
    ) -> dict[int, Status]:
        """Deliver a group; each notification has its own outcome.

        If the process dies here, the holds lapse, and the next try or the rescue continues under the same
        transaction ids.

        Args:
            last: no further try of these attempts follows, so an unknown outcome is a failed attempt.
            budget: after this time, no further chunk and no further lapsed notification is sent.
            limit: after this time, stop trying to record outcomes if the database is away.

        Returns:
            The states that were written, by notification; a missing notification was late.

        Raises:
            Unfinished: some notifications are left for the next try of these attempts.
            StoreUnavailable: PostgreSQL does not answer; notifications may have been sent but not recorded.
        """
        if self._gate.closed:
            released = await by_claim.release(self._engine, attempts)
            metrics.RELEASED.inc(len(released))
            return released
        started_at = time.monotonic()
        leaves = started_at + budget.total_seconds()
        recorder = Recorder(
            self._engine,
            self._gate,
            max_failures=self._max_failures,
            last=last,
            until=started_at + limit.total_seconds(),
        )
        found = [await self._deliver(attempts, recorder, leaves)]
        # One after another, because each may kill the process.
        found += [await self._deliver_lapsed(attempt, recorder, leaves) for attempt in found[0].lapsed]
        if left := sum(progress.left for progress in found):
            raise Unfinished(left, max(progress.patience for progress in found))
        return {id_: state for progress in found for id_, state in progress.states.items()}

    async def record_lost_contact(
        self, attempts: Sequence[Attempt], *, counted: bool = True
    ) -> dict[int, Status]:
        """Record attempts as failed because their run lost contact with its activity.

        Args:
            counted: the sender may have died. The failure counts for a single notification. It does not count
                for a group, because nobody knows which notification caused it; each whose send was open gets its own run from now on.

        Returns:
            The states that were written, by notification; a missing notification was late.

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
        to_withdraw = [held for held in found.held if held.withdrawn or held.expired]
        to_send = [held for held in found.held if not (held.withdrawn or held.expired)]
        valid, invalid = await self._validate(to_send)
        ready, unrendered = await self._render(valid)
        # These make no call, so give their share of the window to others.
        self._gate.refund(len(to_withdraw) + len(invalid) + len(unrendered))
        withdrawn, triggered = await asyncio.gather(
            withdraw(self._engine, self._novu, to_withdraw),
            self._trigger.send(ready, ends=ends, leaves=leaves),
        )
        self._gate.refund(sum(verdict.turned_away for verdict in triggered))
        states, left = await recorder.record([*invalid, *unrendered, *withdrawn, *triggered])
        return Progress(states, left + len(found.live), found.lapsed, found.patience)

    async def _deliver_lapsed(self, attempt: Attempt, recorder: Recorder, leaves: float) -> Progress:
        """Deliver an attempt whose sender died before, by itself: if it kills the process again, it harms no other."""
        async with self._delivering_lapsed:
            # Starting now, it would hit the timeout of the activity mid-send and count as another lapse.
            if time.monotonic() >= leaves:
                return Progress({}, left=1)
            return await self._deliver([attempt], recorder, leaves, with_lapsed=True)

    async def _validate(self, to_send: Sequence[Held]) -> tuple[list[tuple[Held, Workflow]], list[Verdict]]:
        """Return the valid notifications, each with its workflow, and the verdicts on the others."""
        try:
            # The workflow's row may be what kills the process, so do not read it for poison.
            workflows = await self._read_workflows([held for held in to_send if held.lapses <= MAX_LAPSES])
        except StoreUnavailable as error:
            return [], nothing_sent(to_send, error)
        return partition(
            prepare(held, partial(self._check, held, workflows.get(held.workflow_id or 0)))
            for held in to_send
        )

    def _check(self, held: Held, workflow: Workflow | None) -> tuple[Held, Workflow]:
        usable = require_usable(held, workflow)
        self._schemas.check(usable, held.payload)
        return held, usable

    async def _render(
        self, valid: Sequence[tuple[Held, Workflow]]
    ) -> tuple[list[tuple[Held, Event]], list[Verdict]]:
        """Return the notifications that could be rendered, each with its event for Novu, and the verdicts on the others."""
        try:
            templates = await read_templates(self._engine, valid)
        except StoreUnavailable as error:
            return [], nothing_sent([held for held, _ in valid], error)
        return partition(
            prepare(held, partial(self._to_event, held, workflow, templates)) for held, workflow in valid
        )

    def _to_event(
        self, held: Held, workflow: Workflow, templates: Mapping[TemplateKey, Template]
    ) -> tuple[Held, Event]:
        return held, render(self._renderer, held, workflow, templates)

    async def _read_workflows(self, group: Sequence[Held]) -> dict[int, Workflow]:
        """Return the workflows of a group; read a workflow again only if it has changed."""
        wanted = {held.workflow_id: held.workflow_version for held in group if held.workflow_id is not None}
        known = {id_: self._workflows[id_] for id_ in wanted if id_ in self._workflows}
        known = {id_: workflow for id_, workflow in known.items() if workflow.version == wanted[id_]}
        if missing := wanted.keys() - known.keys():
            known |= await read_workflows(self._engine, missing)
            if len(self._workflows) > CACHED_WORKFLOWS:
                self._workflows.clear()
            self._workflows |= known
        return known
