"""Novu over HTTP: what is sent, and what each answer means."""

from xnovu_poller.novu.client import EVENTS_PER_CALL, Novu
from xnovu_poller.novu.event import Event

__all__ = ["EVENTS_PER_CALL", "Event", "Novu"]
