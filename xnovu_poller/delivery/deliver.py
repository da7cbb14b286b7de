"""The walk of a group: hold → validate → render → trigger → record."""

import asyncio
import time
from collections.abc import Coroutine, Sequence
from datetime import timedelta
from typing import Any

from xnovu_poller import backoff, log, metrics
from xnovu_poller.delivery import render
from xnovu_poller.delivery.record import Recorder
from xnovu_poller.delivery.render import Valid
from xnovu_poller.delivery.trigger import Ending, Trigger, Verdict
from xnovu_poller.delivery.validate import Schemas, usable
from xnovu_poller.delivery.withdraw import withdraw
from xnovu_poller.errors import (
    LostContact,
    Poison,
    StoreError,
    TemplateError,
    Unfinished,
    ValidationError,
    WorkflowNotFound,
    XnovuError,
)
from xnovu_poller.gate import Gate
from xnovu_poller.lifecycle import Fault, Work, seconds
from xnovu_poller.novu import Novu
from xnovu_poller.store import reads
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.reads import Workflow
from xnovu_poller.store.transitions import by_executors, by_loops
from xnovu_poller.store.transitions.holding import Held, hold
from xnovu_poller.templates.render import Renderer

_log = log.get(__name__)

Ready = tuple[Valid, dict[str, Any]]
"""A valid notification, and the payload that Novu is to get."""


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
        self._trigger = Trigger(engine, novu, timeout)
        self._recorder = Recorder(engine, gate, max_failures)
        self._renderer = Renderer()
        self._schemas = Schemas()
        self._workflows: dict[int, Workflow] = {}
        self._lone = asyncio.Lock()

    async def deliver(self, works: Sequence[Work], *, last: bool, budget: timedelta) -> None:
        """Deliver a group; each row tells its own outcome.

        If the process dies here, the holds lapse: the next try, or the rescue, goes on under the same
        transaction ids.

        Args:
            works: the notifications, each at the attempt that was claimed.
            last: no try of this attempt follows, so an unknown outcome is a failed attempt.
            budget: no chunk of a large notification is begun after so long.

        Raises:
            Unfinished: some notifications are left to the next try of this attempt.
            StoreUnavailable: PostgreSQL does not answer; what was sent may not be recorded.
        """
        if self._gate.closed:
            released = await by_loops.release(self._engine, works)
            metrics.RELEASED.inc(len(released))
            return
        leaves = time.monotonic() + seconds(budget)
        unfinished, lapsed, patience = await self._walk(works, last=last, leaves=leaves)
        for work in lapsed:
            # One at a time: should it kill the process, it takes no other with it.
            async with self._lone:
                more, _, wait = await self._walk([work], last=last, leaves=leaves, alone=True)
            unfinished, patience = unfinished + more, max(patience, wait)
        if unfinished:
            raise Unfinished(unfinished, patience)

    async def lose(self, works: Sequence[Work]) -> None:
        """Record as failed what the workflow has heard no more of.

        Raises:
            StoreUnavailable: PostgreSQL does not answer; the rescue will find the rows.
        """
        fault = Fault.of(LostContact())
        lost = await by_executors.lose(
            self._engine, works, fault=fault, wait=backoff.wait(1), max_failures=self._max_failures
        )
        metrics.FAILED.labels(fault.code).inc(len(lost))
        _log.warning("contact lost", failed=len(lost))

    async def _walk(
        self, works: Sequence[Work], *, last: bool, leaves: float, alone: bool = False
    ) -> tuple[int, list[Work], timedelta]:
        """Walk the stages once.

        Returns:
            How many notifications are left to the next try, which have lapsed before and must be held
            by themselves, and how long the sends of others are still live.
        """
        ends = time.monotonic() + seconds(self._timeout)
        found = await hold(self._engine, works, deadline=self._timeout, lease=self._lease, alone=alone)
        metrics.LATE.inc(len(works) - len(found.held) - len(found.alone) - len(found.live))
        verdicts, valid = await self._validate(found.held)
        failed, ready = await self._render(valid)
        answers = [
            self._watched(
                v.held, self._trigger.send(v.held, v.workflow.key, payload, ends=ends, leaves=leaves)
            )
            for v, payload in ready
        ]
        verdicts += failed + await asyncio.gather(*answers)
        left = await self._recorder.record(verdicts, last=last)
        return left + len(found.live), found.alone, found.patience

    async def _validate(self, held: Sequence[Held]) -> tuple[list[Verdict], list[Valid]]:
        """Sort out what is not to be sent: withdrawn, expired, poison, or unfit for its workflow."""
        workflows = await self._known(held)
        verdicts: list[Verdict] = []
        valid: list[Valid] = []
        for one in held:
            if one.withdrawn or one.expired:
                refusal = await withdraw(self._engine, self._novu, one)
                verdicts += [] if refusal is None else [refusal]
                continue
            try:
                workflow = usable(one, workflows.get(one.workflow_id or 0))
                self._schemas.check(workflow, one.payload)
            except (Poison, WorkflowNotFound, ValidationError) as error:
                verdicts.append(Verdict(Ending.DEAD, one, Fault.of(error)))
            else:
                valid.append(Valid(one, workflow))
        return verdicts, valid

    async def _render(self, valid: Sequence[Valid]) -> tuple[list[Verdict], list[Ready]]:
        known = await render.templates(self._engine, valid)
        verdicts: list[Verdict] = []
        ready: list[Ready] = []
        for one in valid:
            try:
                ready.append((one, render.payload(self._renderer, one, known)))
            except TemplateError as error:
                verdicts.append(Verdict(Ending.DEAD, one.held, Fault.of(error)))
        return verdicts, ready

    async def _known(self, held: Sequence[Held]) -> dict[int, Workflow]:
        """Give the workflows of a group; those that changed since they were last read are read again."""
        wanted = {one.workflow_id: one.workflow_version for one in held if one.workflow_id is not None}
        changed = [
            id_
            for id_, version in wanted.items()
            if id_ not in self._workflows or self._workflows[id_].version != version
        ]
        if changed:
            self._workflows |= await reads.workflows(self._engine, changed)
        return self._workflows

    async def _watched(self, held: Held, sending: Coroutine[Any, Any, Verdict]) -> Verdict:
        """Let one notification's fault be its own: the rest of its group is recorded all the same."""
        try:
            return await sending
        except StoreError as error:
            return Verdict(Ending.UNKNOWN, held, Fault.of(error), unknown=True)
        except Exception as error:  # noqa: BLE001 - a bug is not to take the group along
            _log.exception("send failed", notification=held.hold.notification_id)
            return Verdict(Ending.FAILED, held, Fault(XnovuError.code, type(error).__name__), unknown=True)
