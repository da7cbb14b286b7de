"""The lag of the event loop is observed."""

import asyncio
import time

import pytest

from tests.support.waiting import eventually
from xnovu_poller import metrics
from xnovu_poller.service import event_loop

NAME = "xnovu_event_loop_lag_seconds"


async def test_a_blocked_event_loop_is_observed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Code that does not yield for 50 ms makes every other task that late."""
    monkeypatch.setattr(event_loop, "EVERY_SECONDS", 0.001)
    before = metrics.REGISTRY.get_sample_value(f"{NAME}_sum") or 0
    observing = asyncio.create_task(event_loop.observe_lag())
    await asyncio.sleep(0)

    time.sleep(0.05)  # noqa: ASYNC251 - it blocks the event loop

    await eventually(lambda: (metrics.REGISTRY.get_sample_value(f"{NAME}_sum") or 0) > before + 0.04)
    observing.cancel()
