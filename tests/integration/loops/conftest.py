"""Fixtures for the tests of the loops."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from tests.support.rows import Db
from xnovu_poller.backpressure.gate import Gate
from xnovu_poller.errors import TemporalError
from xnovu_poller.lifecycle import Claim
from xnovu_poller.loops.loop import PollLoop
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications.claim import Terms
from xnovu_poller.store.notifications.due import NEW

INTERVAL = timedelta(seconds=10)


class Starts:
    """Takes the place of Temporal: records starts, fails for some claims, waits until it may continue."""

    def __init__(self) -> None:
        self.groups: list[list[Claim]] = []
        self.failing: dict[int, TemporalError] = {}
        self.begun = 0
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def start(self, claims: Sequence[Claim]) -> None:
        """Start the run of some claims."""
        self.begun += 1
        await self.go_on.wait()
        for claim in claims:
            if claim.notification_id in self.failing:
                raise self.failing[claim.notification_id]
        self.groups.append(list(claims))

    @property
    def ids(self) -> list[int]:
        """The ids of the notifications that were handed off."""
        return sorted(claim.notification_id for group in self.groups for claim in group)


def a_loop(engine: Engine, starts: Starts, terms: Terms, gate: Gate | None = None) -> PollLoop:
    """Build a loop of new rows."""
    return PollLoop(NEW, engine, gate or Gate(), terms=terms, start=starts.start, interval=INTERVAL)


def states(db: Db) -> list[str]:
    """Return the states of all rows, in the order of their ids."""
    return [
        found["notification_status"]
        for found in db.execute("SELECT notification_status FROM notify.ent_notification ORDER BY id")
    ]


@pytest.fixture
def starts() -> Starts:
    """A recorder of starts."""
    return Starts()


@pytest.fixture
def terms() -> Terms:
    """The terms of a small deployment."""
    return Terms(prefix="abc", batch=100, group_size=1, max_in_flight=1000, lease=timedelta(seconds=30))
