"""A Novu client whose network is in the test's hand."""

from collections.abc import AsyncIterator

import pytest

from tests.support.wire import Wire, build
from xnovu_poller.backpressure.gate import Gate
from xnovu_poller.novu import Novu


@pytest.fixture
def wire() -> Wire:
    """A network on which Novu accepts everything."""
    return Wire()


@pytest.fixture
def gate() -> Gate:
    """A new gate."""
    return Gate()


@pytest.fixture
async def novu(wire: Wire, gate: Gate) -> AsyncIterator[Novu]:
    """A client with two connections."""
    client = build(wire, gate)
    yield client
    await client.aclose()
