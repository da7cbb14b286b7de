"""A delivery for each test."""

from collections.abc import AsyncIterator

import pytest

from tests.support.delivering import Delivering, delivering
from tests.support.novu import NovuStandIn
from xnovu_poller.store.engine import Engine


@pytest.fixture
async def executor(engine: Engine, novu_standin: NovuStandIn) -> AsyncIterator[Delivering]:
    """A delivery whose calls have enough time."""
    async with delivering(engine, novu_standin) as made:
        yield made
