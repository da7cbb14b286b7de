"""Novu over HTTP: the calls, and the meaning of each answer."""

from xnovu_poller.novu.client import EVENTS_PER_CALL, Novu
from xnovu_poller.novu.event import Event

__all__ = ["EVENTS_PER_CALL", "Event", "Novu"]
