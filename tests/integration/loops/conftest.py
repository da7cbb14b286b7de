"""What the tests of the loops share."""

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
    """Takes the place of Temporal: remembers what was started, fails as told, waits until it may go on."""

    def __init__(self) -> None:
        self.groups: list[list[Claim]] = []
        self.failing: dict[int, TemporalError] = {}
        self.begun = 0
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def start(self, claims: Sequence[Claim]) -> None:
        """Start the workflow of some claims."""
        self.begun += 1
        await self.go_on.wait()
        for claim in claims:
            if claim.notification_id in self.failing:
                raise self.failing[claim.notification_id]
        self.groups.append(list(claims))

    @property
    def ids(self) -> list[int]:
        """Which notifications were handed off."""
        return sorted(claim.notification_id for group in self.groups for claim in group)


def a_loop(engine: Engine, starts: Starts, terms: Terms, gate: Gate | None = None) -> PollLoop:
    """Make a loop of new rows."""
    return PollLoop(NEW, engine, gate or Gate(), terms=terms, start=starts.start, interval=INTERVAL)


def states(db: Db) -> list[str]:
    """Give the states of all rows, in their order."""
    return [
        found["notification_status"]
        for found in db.execute("SELECT notification_status FROM notify.ent_notification ORDER BY id")
    ]


@pytest.fixture
def starts() -> Starts:
    """Give what remembers the starts."""
    return Starts()


@pytest.fixture
def terms() -> Terms:
    """Give the terms of a small deployment."""
    return Terms(prefix="abc", batch=100, group_size=1, max_in_flight=1000, lease=timedelta(seconds=30))
