"""The suspects: notifications that were refused, perhaps through no fault of their own."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

SUSPECTS_KEPT = 10_000
"""If more notifications than this are refused, forget that whose last refusal is oldest."""


@dataclass(slots=True)
class _Suspect:
    since: float
    refusals: int = 0


class Suspects:
    """Knows whether Novu served others while it refused one notification: then that notification is at fault.

    What counts is a served call that *began* after the refusal. A call that was already under way may have been served
    just before an outage began, and proves nothing.

    Args:
        clock: returns seconds, like `time.monotonic`.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._suspects: OrderedDict[str, _Suspect] = OrderedDict()
        self._served_since = float("-inf")

    def refuse(self, transaction_id: str) -> None:
        """Count a refusal of a notification."""
        suspect = self._suspects.setdefault(transaction_id, _Suspect(self._clock()))
        suspect.refusals += 1
        self._suspects.move_to_end(transaction_id)
        if len(self._suspects) > SUSPECTS_KEPT:
            self._suspects.popitem(last=False)

    def serve(self, transaction_id: str, began_at: float) -> None:
        """Remember that Novu served a call, and forget the notification if it was refused before.

        Args:
            transaction_id: the notification of the call.
            began_at: when the call began, by the clock.
        """
        self._suspects.pop(transaction_id, None)
        self._served_since = max(self._served_since, began_at)

    def is_known(self, transaction_id: str) -> bool:
        """Return whether a notification was refused more than once."""
        suspect = self._suspects.get(transaction_id)
        return suspect is not None and suspect.refusals > 1

    def is_guilty(self, transaction_id: str) -> bool:
        """Return whether Novu has served others since it first refused this notification, or since its last failure."""
        suspect = self._suspects.get(transaction_id)
        return suspect is not None and suspect.since < self._served_since

    def blame(self, transaction_id: str) -> bool:
        """Return whether a failure of a notification counts; the next failure needs a proof of its own."""
        if transaction_id not in self._suspects:
            self.refuse(transaction_id)
        guilty = self.is_guilty(transaction_id)
        if guilty:
            self._suspects[transaction_id].since = self._clock()
        return guilty
