"""The loop of the notifications that are to be said at once."""

from datetime import timedelta

from xnovu_poller.backpressure.gate import Gate
from xnovu_poller.loops.loop import PollLoop, StartWorkflow
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications.by_claim import Terms
from xnovu_poller.store.notifications.due import NEW


def new_loop(
    engine: Engine, gate: Gate, *, terms: Terms, start: StartWorkflow, interval: timedelta
) -> PollLoop:
    """Make the loop of PENDING rows without a set time: most of the traffic, so it rests the least."""
    return PollLoop(NEW, engine, gate, terms=terms, start=start, interval=interval)
