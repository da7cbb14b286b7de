"""A delivery for each test."""

from collections.abc import AsyncIterator

import pytest

from tests.support.clock import Clock
from tests.support.delivering import Delivering, delivering
from tests.support.novu import NovuStandIn
from xnovu_poller.backpressure.gate import Gate
from xnovu_poller.store.engine import Engine


@pytest.fixture
async def executor(engine: Engine, novu_standin: NovuStandIn, clock: Clock) -> AsyncIterator[Delivering]:
    """A delivery whose calls have enough time, and whose pauses pass only as the test wants."""
    async with delivering(engine, novu_standin, gate=Gate(clock)) as made:
        yield made
