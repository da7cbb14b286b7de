"""A real Temporal server, and a task queue for each test."""

import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from xnovu_poller.dev.temporal import Temporal

SEARCH_ATTRIBUTES = dict.fromkeys(
    ("XnovuEnterpriseId", "XnovuNotificationId", "XnovuWorkflowKey", "XnovuOutcome"), "Keyword"
)


Server = TypeVar("Server", bound=Temporal)


@contextmanager
def temporal_of(kind: type[Server], *, keep: bool = False) -> Iterator[Server]:
    """Run a server in a folder that is deleted afterwards, with our search attributes registered."""
    with (
        tempfile.TemporaryDirectory(prefix="xnovu-temporal-") as folder,
        kind(Path(folder), keep=keep, search_attributes=SEARCH_ATTRIBUTES) as server,
    ):
        yield server


@pytest.fixture(scope="session")
def temporal_server() -> Iterator[Temporal]:
    """Run a server for the whole session."""
    with temporal_of(Temporal) as server:
        yield server


@pytest.fixture
def temporal_address(temporal_server: Temporal) -> str:
    """Return the address for a client."""
    return temporal_server.address


@pytest.fixture
def task_queue() -> str:
    """Return the name of a task queue that no other test uses."""
    return f"test-{uuid.uuid4().hex[:12]}"
