"""What leaves the straight way of a notification, and who did it."""

import os
import socket
from enum import StrEnum


class IncidentKind(StrEnum):
    """What left the straight way of a notification: an incident, in the column `arrow` of `ent_notification_event`.

    FAILED: an attempt failed. DEAD: no further attempt is made. RELEASED: the claim was given back. RESCUED: the same,
    because its lease had lapsed and Temporal had no run. RECLAIMED: claimed again, because its sender was gone.
    LAPSED: a sender disappeared during a call. UNKNOWN: a call ended without an answer. REFUSED: a try ended without
    success, and the attempt goes on. RETRACTION_REQUESTED: an outcome was open, or it was SENT. RETRACTED, EXPIRED.
    CANCELLED: Novu answered the request to cancel it. REVIVED.
    """

    FAILED = "failed"
    DEAD = "dead"
    RELEASED = "released"
    RESCUED = "rescued"
    RECLAIMED = "reclaimed"
    LAPSED = "lapsed"
    UNKNOWN = "unknown"
    REFUSED = "refused"
    RETRACTION_REQUESTED = "retraction_requested"
    RETRACTED = "retracted"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    REVIVED = "revived"


def name_process() -> str:
    """Return the name of this process, as Temporal's histories and the incidents have it."""
    return f"xnovu@{socket.gethostname()}:{os.getpid()}"
