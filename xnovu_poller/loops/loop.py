"""One turn of a loop: claim, hand off, say how long to rest."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from enum import Enum, auto
from itertools import groupby
from typing import Protocol, TypeVar

from xnovu_poller import log, metrics
from xnovu_poller.backpressure.gate import Gate
from xnovu_poller.errors import HandoffError, XnovuError
from xnovu_poller.lifecycle import Claim, Work, seconds
from xnovu_poller.store import reads
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications import by_claim
from xnovu_poller.store.notifications.by_claim import Place, Terms
from xnovu_poller.store.notifications.due import Due

_log = log.get(__name__)

BUSY_REST = timedelta(milliseconds=100)
"""While the deployment is full, an enterprise at its limit, or the gate waits for an answer, a loop looks again this soon."""

FEW_REST = timedelta(milliseconds=10)
"""After a claim of few rows: to look for more at once would take the CPU from what sends them."""

STARTS_AT_ONCE = 20

CLAIMS_A_TURN = 10
"""After so many a turn ends, though there is more: what is over has to be expired, and /status to see it turn."""

Done = TypeVar("Done")

StartWorkflow = Callable[[Sequence[Claim]], Awaitable[None]]
"""Starts the workflow that some claims share; raises `HandoffError`."""


class Turning(Protocol):
    """What has turns: one of the three loops, the rescue, or the cancels."""

    @property
    def name(self) -> str:
        """What it is called in logs and in /status."""

    @property
    def interval(self) -> timedelta:
        """The rest after a turn that found nothing to do."""

    async def turn(self) -> timedelta:
        """Do what is to be done; return how long to rest, zero if there is more."""

    def stop(self) -> None:
        """Start no further workflow: claims not yet handed off are released."""


class Drain:
    """Turns a loop until it has nothing to do; never twice at once.

    Args:
        turning: the loop.
    """

    def __init__(self, turning: Turning) -> None:
        self.name = turning.name
        self._turning = turning
        self._free = asyncio.Lock()
        self._called = False
        self._stopped = asyncio.Event()
        self._turns = 0
        self._last_error: str | None = None

    async def drain(self) -> None:
        """Turn now; if it turns already, once more when that is through."""
        self._called = True
        if self._free.locked():
            return
        async with self._free:
            while self._called and not self._stopped.is_set():
                self._called = False
                rest = await self._turn()
                if rest < self._turning.interval:
                    self._called = True
                    await self._rest(rest)

    async def stop(self) -> None:
        """Let the turn under way end, and begin no other."""
        self._stopped.set()
        async with self._free:
            pass

    def status(self) -> Mapping[str, object]:
        """Tell how the loop goes, for /status."""
        return {"turns": self._turns, "turning": self._free.locked(), "last_error": self._last_error}

    async def _turn(self) -> timedelta:
        begun = time.monotonic()
        try:
            rest = await self._turning.turn()
        except XnovuError as error:
            _log.warning("turn failed", loop=self.name, error=error.code, reason=str(error))
            self._last_error = error.code
            return self._turning.interval
        except Exception as error:  # noqa: BLE001 - the edge of a loop: a bug in one turn is not to end the others
            _log.exception("turn failed", loop=self.name)
            self._last_error = type(error).__name__
            return self._turning.interval
        metrics.TURN_SECONDS.labels(self.name).observe(time.monotonic() - begun)
        self._turns += 1
        self._last_error = None
        return rest

    async def _rest(self, rest: timedelta) -> None:
        """Rest; a stop wakes it."""
        if rest:
            try:
                async with asyncio.timeout(seconds(rest)):
                    await self._stopped.wait()
            except TimeoutError:
                pass


class PollLoop:
    """One of the three loops; they differ in these fields and in nothing else.

    Args:
        due: its rows.
        engine: where the rows are.
        gate: while it is closed, nothing is claimed.
        terms: on which it claims.
        start: starts a workflow.
        interval: the rest after a turn that found nothing.
    """

    def __init__(
        self,
        due: Due,
        engine: Engine,
        gate: Gate,
        *,
        terms: Terms,
        start: StartWorkflow,
        interval: timedelta,
    ) -> None:
        self.name = due.name
        self.interval = interval
        self._due = due
        self._engine = engine
        self._gate = gate
        self._terms = terms
        self._handing = Handing(engine, start)
        self._place = Place()

    async def turn(self) -> timedelta:
        """Expire what is over; claim batch after batch, each while the one before is handed off.

        If the process dies between claim and handoff, the leases lapse and the failed loop gives the
        rows back.

        Returns:
            Zero, or next to nothing, if there may be more; otherwise how long to rest.

        Raises:
            StoreUnavailable: PostgreSQL does not answer.
            HandoffError: some workflows could not be started; their claims are released.
        """
        metrics.GATE_OPEN.set(not self._gate.closed)
        # Should a claim meet what is just being expired: the hold sees that it is over.
        expired, claims, rest = await self._take_beside(by_claim.expire(self._engine))
        metrics.EXPIRED.inc(expired)
        for _ in range(CLAIMS_A_TURN - 1):
            if len(claims) < self._terms.batch:
                break  # a few need no haste for more, but to be handed off
            _, claims, rest = await self._take_beside(self._handing.hand_off(claims))
        await self._handing.hand_off(claims)
        if not claims:
            return rest
        return FEW_REST if len(claims) < self._terms.batch / 10 else timedelta(0)

    async def _take(self) -> tuple[list[Claim], timedelta]:
        """Claim one batch; where there is none, say how long to rest."""
        if self._handing.stopped:
            return [], self.interval
        places = self._gate.allowance(self._terms.batch)
        if places == 0:
            return [], max(self._gate.pause, BUSY_REST)
        terms = self._terms
        claims, self._place = await by_claim.claim(self._engine, self._due, terms, self._place, places=places)
        if not claims:
            more = await reads.held_back(self._engine, self._due, terms.max_in_flight, terms.enterprises)
            return [], BUSY_REST if more else self.interval
        self._gate.spend(len(claims))
        metrics.CLAIMED.labels(self.name).inc(len(claims))
        return claims, timedelta(0)

    async def _take_beside(self, doing: Awaitable[Done]) -> tuple[Done, list[Claim], timedelta]:
        """Claim a batch while something else is done; where that fails, what was claimed is given back."""
        done, taken = await asyncio.gather(doing, self._take(), return_exceptions=True)
        if isinstance(taken, BaseException):
            raise taken
        claims, rest = taken
        if isinstance(done, BaseException):
            await self._handing.give_back([claim.work for claim in claims])
            raise done
        return done, claims, rest

    def stop(self) -> None:
        """Start no further workflow: claims not yet handed off are released."""
        self._handing.stop()


class Begun(Enum):
    """Whether a workflow was started; NO only because the worker stops."""

    YES = auto()
    NO = auto()


class Handing:
    """Hands claims off, and releases those whose workflow could not be started.

    Args:
        engine: where the rows are.
        start: starts a workflow.

    Attributes:
        stopped: the worker stops.
    """

    def __init__(self, engine: Engine, start: StartWorkflow) -> None:
        self._engine = engine
        self._start = start
        self._places = asyncio.Semaphore(STARTS_AT_ONCE)
        self.stopped = False

    def stop(self) -> None:
        """Start no further workflow."""
        self.stopped = True

    async def hand_off(self, claims: Sequence[Claim]) -> None:
        """Start the workflows of some claims.

        Raises:
            StoreUnavailable: claims could not be released; their leases lapse.
            HandoffError: the first reason why a workflow could not be started.
        """
        groups = [list(group) for _, group in groupby(sorted(claims, key=_group), key=_group)]
        ends = await asyncio.gather(*(self._begin(group) for group in groups))
        left = [
            claim.work
            for group, end in zip(groups, ends, strict=True)
            if end is not Begun.YES
            for claim in group
        ]
        await self.give_back(left)
        for end in ends:
            if isinstance(end, HandoffError):
                raise end

    async def give_back(self, works: Sequence[Work]) -> None:
        """Release claims; a start that arrives late finds itself late.

        Raises:
            StoreUnavailable: their leases lapse.
        """
        if works:
            released = await by_claim.release(self._engine, works)
            metrics.RELEASED.inc(len(released))
            _log.info("claims released", released=len(released))

    async def _begin(self, group: Sequence[Claim]) -> Begun | HandoffError:
        """Start one workflow, or say why not."""
        async with self._places:
            if self.stopped:
                return Begun.NO
            try:
                await self._start(group)
            except HandoffError as error:
                return error
            return Begun.YES


def _group(claim: Claim) -> str:
    return claim.temporal_workflow_id
