"""The canceller: asks Novu to stop notifications that were withdrawn after they were sent.

Novu can still stop their delayed and digested steps.
"""

import asyncio
from datetime import timedelta

from xnovu_poller import log, metrics
from xnovu_poller.backpressure.gate import Gate
from xnovu_poller.errors import NovuError, NovuUnauthorized
from xnovu_poller.novu import Novu
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications import by_claim
from xnovu_poller.store.notifications.facts import read_facts
from xnovu_poller.store.notifications.withdrawn import Withdrawn, read_withdrawn

_log = log.get(__name__)

CANCEL_BATCH = 20

PUT_OFF_AT_MOST = 1000
"""Up to this many rows without an answer are put off, so that others come first; with more, all are asked again."""

CONCURRENT_CANCELS = 2
"""Triggers share the connections with cancels, so a Novu that hangs on cancels must not hold them all."""


class Canceller:
    """Asks Novu to cancel SENT notifications that their producer has withdrawn.

    Guarantee: at least once. A second cancel changes nothing.

    Args:
        gate: while it is closed, Novu is not asked.
        interval: the pause after a turn that found nothing.
    """

    name = "cancel"

    def __init__(self, engine: Engine, gate: Gate, novu: Novu, *, interval: timedelta) -> None:
        self.interval = interval
        self._engine = engine
        self._gate = gate
        self._novu = novu
        self._put_off: set[int] = set()
        self._slots = asyncio.Semaphore(CONCURRENT_CANCELS)
        self._stopped = False

    def stop(self) -> None:
        """Make no further call. Another replica asks for the rest, or this worker after its next start."""
        self._stopped = True

    async def turn(self) -> timedelta:
        """Ask Novu to cancel one batch, and record its answers.

        If the process dies before they are recorded, Novu is asked again.

        Returns:
            Zero if there may be more, else the interval.

        Raises:
            StoreUnavailable: PostgreSQL does not answer.
        """
        limit = self._gate.allowance(CANCEL_BATCH)
        if limit == 0:
            return self.interval
        found = await read_withdrawn(self._engine, limit, self._put_off)
        results = await asyncio.gather(*map(self._ask, found))
        answers = {
            withdrawn.notification_id: answer
            for withdrawn, answer in zip(found, results, strict=True)
            if answer
        }
        recorded = await by_claim.record_cancel_answer(self._engine, answers) if answers else {}
        facts = await read_facts(self._engine, recorded)
        for id_ in recorded:
            _count(answers[id_])
            _log.info("cancel answered", **facts[id_], answer=answers[id_])
        # Put off the rows without an answer, and those that another session has locked, until all others have had
        # their turn.
        self._put_off |= {withdrawn.notification_id for withdrawn in found} - recorded.keys()
        if len(found) < limit or len(self._put_off) >= PUT_OFF_AT_MOST:
            self._put_off.clear()
            return self.interval
        return timedelta(0)

    async def _ask(self, withdrawn: Withdrawn) -> str | None:
        """Return Novu's answer, as the row will record it; None if Novu must be asked again."""
        cancelled = []
        try:
            for transaction_id in withdrawn.transaction_ids:
                async with self._slots:
                    if self._stopped:
                        return None
                    cancelled.append(await self._novu.cancel(transaction_id))
        except NovuError as error:
            # Wait for a fault that may pass, but not for ever, because other rows are waiting behind it.
            if (error.retryable or isinstance(error, NovuUnauthorized)) and not withdrawn.old:
                return None
            return error.code
        return "cancelled" if any(cancelled) else "nothing_left"


def _count(answer: str) -> None:
    """Count an answer that was recorded; a code of an error counts as refused."""
    metrics.CANCELS.labels(answer if answer in metrics.CANCEL_ANSWERS else "refused").inc()
