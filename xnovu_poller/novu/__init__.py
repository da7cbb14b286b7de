"""Novu over HTTP: what is sent, and what each answer means."""

from xnovu_poller.novu.client import Novu
from xnovu_poller.novu.event import Event

__all__ = ["Event", "Novu"]
