"""The processor time that each enterprise may take from the event loop, which serves all enterprises.

Python renders and compiles on the loop, and gives way only between two pieces of work. So no piece may be long (the
limits of schemas and templates see to that), and an enterprise whose pieces are heavy gets only a share of the time.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from xnovu_poller.errors import Unfinished

Result = TypeVar("Result")

SHARE = 0.25
"""The part of the time that heavy work of an enterprise may take."""

BURST = 0.25
"""Seconds of heavy work that an enterprise may take at once, if it took none for a while."""

LIGHT = 0.002
"""Seconds of processor time: a piece of work that takes no longer does not count, and almost none does."""

SLICE = 0.005
"""Seconds of work after which everything else of the loop has its turn."""

LONGEST_WAIT = 20.0
"""Seconds after which an enterprise that has to wait tries again in any case."""

_ACCOUNTS = 10_000


@dataclass(slots=True)
class _Account:
    """What an enterprise has taken; the moments are those of the clock.

    Attributes:
        paid_at: when all that it took will be paid for, at its share of the time.
        promised_at: when all that was put off will be paid for too.
        price: how long a piece of its heavy work is paid for, the latest counting most.
    """

    paid_at: float = 0.0
    promised_at: float = 0.0
    price: float = 0.0


class Shares:
    """Does the work of enterprises in slices, and puts off those that have used their share.

    Args:
        now: a clock, in seconds.
        used: the processor time that this thread has taken, in seconds. It decides whether work is heavy; but the
            price of heavy work is the time that passed, because others had to wait for that, however busy the
            machine is.
    """

    def __init__(
        self,
        now: Callable[[], float] = time.monotonic,
        used: Callable[[], float] = time.thread_time,
    ) -> None:
        self._now = now
        self._used = used
        self._accounts: dict[str, _Account] = {}
        self._slice = 0.0
        self._next_slice = asyncio.Lock()

    async def do(self, enterprise: str, work: Callable[[], Result]) -> Result:
        """Do a piece of work of an enterprise.

        Raises:
            Unfinished: it must wait for the next try; nothing was done.
        """
        if enterprise in self._accounts:
            self._require_share(self._accounts[enterprise])
        if self._slice > SLICE:
            await self._give_way()
        began, used = self._now(), self._used()
        try:
            return work()
        finally:
            passed = self._now() - began
            self._slice += passed
            # The processor time is a call of the system; it is never more than the time that passed.
            if passed > LIGHT and self._used() - used > LIGHT:
                self._charge(enterprise, passed)

    def is_indebted(self, enterprise: str) -> bool:
        """Return whether heavy work of an enterprise is not paid for yet."""
        account = self._accounts.get(enterprise)
        return account is not None and account.paid_at > self._now()

    async def _give_way(self) -> None:
        """Wait until the loop has gone round; those who wait get their slices in turn."""
        async with self._next_slice:
            await asyncio.sleep(0)
            self._slice = 0.0

    def _require_share(self, account: _Account) -> None:
        now = self._now()
        if account.paid_at - now <= BURST / SHARE:
            return
        # Each that is put off gets a later moment, so that they do not come back together.
        account.promised_at = max(account.promised_at, account.paid_at) + account.price
        wait = min(account.promised_at - now - BURST / SHARE, LONGEST_WAIT)
        raise Unfinished(1, timedelta(seconds=wait))

    def _charge(self, enterprise: str, passed: float) -> None:
        now = self._now()
        if len(self._accounts) >= _ACCOUNTS:
            self._accounts = {name: kept for name, kept in self._accounts.items() if kept.paid_at > now}
        account = self._accounts.setdefault(enterprise, _Account())
        price = passed / SHARE
        account.price = (account.price + price) / 2
        account.paid_at = max(account.paid_at, now) + price
