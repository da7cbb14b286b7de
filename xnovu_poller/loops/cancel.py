"""Cancels at Novu what was withdrawn after it was sent: delayed and digested steps can still be stopped."""

import asyncio
from datetime import timedelta

from xnovu_poller import log, metrics
from xnovu_poller.backpressure.gate import Gate
from xnovu_poller.errors import NovuError, NovuUnauthorized
from xnovu_poller.novu import Novu
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications import by_claim
from xnovu_poller.store.notifications.withdrawn import Withdrawn, read_withdrawn

_log = log.get(__name__)

CANCELLED_AT_ONCE = 20

PUT_OFF_AT_MOST = 1000
"""So many without an answer let others pass; with more, all begins anew after a rest."""

CANCELS_UNDER_WAY = 2
"""The triggers share the connections: a Novu that hangs on cancels is not to hold them all."""


class Canceller:
    """Asks Novu to cancel SENT notifications that their producer has withdrawn.

    Guarantee: at least once; to cancel twice changes nothing.

    Args:
        engine: where the rows are.
        gate: while it is closed, Novu is not asked.
        novu: whom to ask.
        interval: the rest after a turn that found nothing.
    """

    name = "cancel"

    def __init__(self, engine: Engine, gate: Gate, novu: Novu, *, interval: timedelta) -> None:
        self.interval = interval
        self._engine = engine
        self._gate = gate
        self._novu = novu
        self._put_off: set[int] = set()
        self._places = asyncio.Semaphore(CANCELS_UNDER_WAY)
        self._stopped = False

    def stop(self) -> None:
        """Make no further call; what is left is asked for by another replica, or after the next start."""
        self._stopped = True

    async def turn(self) -> timedelta:
        """Ask for one batch, and write down what Novu said; if the process dies before, it is asked again.

        Returns:
            Zero if there may be more, else the interval.

        Raises:
            StoreUnavailable: PostgreSQL does not answer.
        """
        limit = self._gate.allowance(CANCELLED_AT_ONCE)
        if limit == 0:
            return self.interval
        found = await read_withdrawn(self._engine, limit, self._put_off)
        said = await asyncio.gather(*map(self._ask, found))
        answers = {one.notification_id: word for one, word in zip(found, said, strict=True) if word}
        if answers:
            for moved in await by_claim.record_cancel_answer(self._engine, answers):
                _log.info("sent notification withdrawn", notification=moved, answer=answers[moved])
        # Those without an answer let the others pass; then it begins anew.
        self._put_off |= {one.notification_id for one in found} - answers.keys()
        if len(found) < limit or len(self._put_off) >= PUT_OFF_AT_MOST:
            self._put_off.clear()
            return self.interval
        return timedelta(0)

    async def _ask(self, one: Withdrawn) -> str | None:
        """Give Novu's answer as the row will tell it; None if Novu has to be asked again."""
        done = []
        try:
            for transaction_id in one.transaction_ids:
                async with self._places:
                    if self._stopped:
                        return None
                    done.append(await self._novu.cancel(transaction_id))
        except NovuError as error:
            # Whatever may pass is waited for, but not for ever: others are behind it.
            if (error.retryable or isinstance(error, NovuUnauthorized)) and not one.old:
                return None
            metrics.CANCELS.labels("refused").inc()
            return error.code
        metrics.CANCELS.labels("cancelled" if any(done) else "nothing_left").inc()
        return "cancelled" if any(done) else "nothing_left"
