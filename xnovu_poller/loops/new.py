"""The loop of the notifications that are to be said at once."""

from datetime import timedelta

from xnovu_poller.gate import Gate
from xnovu_poller.loops.loop import PollLoop, StartWorkflow
from xnovu_poller.store.due import NEW
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.transitions.by_loops import Terms


def new_loop(
    engine: Engine, gate: Gate, *, terms: Terms, start: StartWorkflow, interval: timedelta
) -> PollLoop:
    """Make the loop of PENDING rows without a set time: most of the traffic, so it rests the least."""
    return PollLoop(NEW, engine, gate, terms=terms, start=start, interval=interval)
