"""A Novu client whose network the test controls."""

from collections.abc import AsyncIterator

import pytest

from tests.support.wire import Wire, build
from xnovu_poller.backpressure.gate import Gate
from xnovu_poller.novu import Novu


@pytest.fixture
def wire() -> Wire:
    """Return a network on which Novu accepts everything."""
    return Wire()


@pytest.fixture
def gate() -> Gate:
    """Return a new gate."""
    return Gate()


@pytest.fixture
async def novu(wire: Wire, gate: Gate) -> AsyncIterator[Novu]:
    """Yield a client with two connections."""
    client = build(wire, gate)
    yield client
    await client.aclose()
