"""The place where a test takes over: `xnovu_poller.testing` gathers notifications here instead of writing them."""

from collections.abc import Iterable
from typing import Protocol

from xnovu_poller.client.notification import Enqueued, Notification


class Recorder(Protocol):
    """Takes notifications that would have been written."""

    def take(self, notifications: Iterable[Notification], enterprise: str | None) -> list[Enqueued]:
        """Gather them; the enterprise is None if a key of the API names it."""
        ...


RECORDERS: list[Recorder] = []
"""Those that gather now, of the whole process; the last takes all. Empty outside of tests."""


def recorder() -> Recorder | None:
    """Return the recorder of the innermost test, if there is one."""
    return RECORDERS[-1] if RECORDERS else None
