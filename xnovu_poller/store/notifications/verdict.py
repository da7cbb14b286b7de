"""The verdict on a delivery, which an executor records."""

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from typing import Literal

from xnovu_poller.lifecycle import ErrorDetails, Hold
from xnovu_poller.store.notifications.hold import Held


class Ending(Enum):
    """How the delivery of a notification ended, and so which arrow records it.

    The arrow decides which state it writes: a retraction that was requested meanwhile turns DEAD into RETRACTED, and the
    last failure that counts turns FAILED into DEAD.

    SENT: Novu accepted every chunk.
    DEAD: no attempt can succeed.
    FAILED: this attempt did not succeed.
    RELEASED: Novu cannot serve now, or the last try ended before the delivery was finished.
    RETRACTED: withdrawn or expired before its send.
    UNKNOWN: Novu may have accepted it.
    UNFINISHED: nothing is being sent, and the next try must continue, or make the refused call again.
    LATE: the right to send is gone, so there is nothing to record.
    """

    SENT = auto()
    DEAD = auto()
    FAILED = auto()
    RELEASED = auto()
    RETRACTED = auto()
    UNKNOWN = auto()
    UNFINISHED = auto()
    LATE = auto()


@dataclass(slots=True)  # not frozen: ADR 12
class Verdict:
    """The verdict on the delivery of a notification, and the hold with which it may be recorded.

    Attributes:
        held: the notification, with its newest hold.
        refused: Novu answered, so the next attempt needs another idempotency key.
        unknown: Novu may have accepted it.
        counted: the failure brings the notification nearer to DEAD; an outage does not.
        disputed: the failure counts only if Novu has served others meanwhile; otherwise it may be anybody's fault.
        turned_away: nothing was sent, because the failures of others show that it would fail now.
        wait: the shortest time from a failure to the next attempt.
    """

    ending: Ending
    held: Held
    error: ErrorDetails | None = None
    refused: bool = False
    unknown: bool = False
    counted: bool = True
    disputed: bool = False
    turned_away: bool = False
    wait: timedelta = timedelta(0)

    @property
    def hold(self) -> Hold:
        """The right to write."""
        return self.held.hold

    @property
    def code(self) -> str:
        """The error's code, for logs and metrics."""
        return "none" if self.error is None else self.error.code

    @property
    def reason(self) -> Literal["expired", "retracted"]:
        """Why it is retracted, if its producer gave no reason."""
        return "expired" if self.held.expired and not self.held.withdrawn else "retracted"
