"""Watch how late the event loop is."""

import asyncio
import time

from xnovu_poller import metrics

EVERY_SECONDS = 1.0


async def observe_lag() -> None:
    """Observe for ever how late the event loop wakes a task: all work of this process waits as long."""
    while True:
        due = time.monotonic() + EVERY_SECONDS
        await asyncio.sleep(EVERY_SECONDS)
        metrics.EVENT_LOOP_LAG_SECONDS.observe(max(0.0, time.monotonic() - due))
