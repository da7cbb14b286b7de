"""Cancels at Novu what was withdrawn after it was sent: delayed and digested steps can still be stopped."""

import asyncio
from datetime import timedelta

from xnovu_poller import log, metrics
from xnovu_poller.errors import NovuError, NovuUnauthorized
from xnovu_poller.gate import Gate
from xnovu_poller.novu import Novu
from xnovu_poller.store import reads
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.reads import Withdrawn
from xnovu_poller.store.transitions import by_loops

_log = log.get(__name__)

CANCELLED_AT_ONCE = 20


class Cancel:
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

    def stop(self) -> None:
        """Begin nothing: a turn is one round of calls."""

    async def turn(self) -> timedelta:
        """Ask for one batch, and write down what Novu said; if the process dies before, it is asked again.

        Returns:
            Zero if there may be more, else the interval.

        Raises:
            StoreUnavailable: PostgreSQL does not answer.
        """
        if self._gate.closed:
            return self.interval
        found = await reads.withdrawn(self._engine, CANCELLED_AT_ONCE)
        said = await asyncio.gather(*map(self._ask, found))
        answers = {one.notification_id: word for one, word in zip(found, said, strict=True) if word}
        if answers:
            for moved in await by_loops.cancelled(self._engine, answers):
                _log.info("sent notification withdrawn", notification=moved, answer=answers[moved])
        return timedelta(0) if len(answers) == CANCELLED_AT_ONCE else self.interval

    async def _ask(self, one: Withdrawn) -> str | None:
        """Give Novu's answer as the row will tell it; None if Novu has to be asked again."""
        try:
            done = [await self._novu.cancel(transaction_id) for transaction_id in one.transaction_ids]
        except NovuError as error:
            # Whatever may pass is waited for, but not for ever: others are behind it.
            if (error.retryable or isinstance(error, NovuUnauthorized)) and not one.old:
                return None
            metrics.CANCELS.labels("refused").inc()
            return error.code
        metrics.CANCELS.labels("cancelled" if any(done) else "nothing_left").inc()
        return "cancelled" if any(done) else "nothing_left"
