"""The loop of the notifications whose set time has come."""

from datetime import timedelta

from xnovu_poller.backpressure.gate import Gate
from xnovu_poller.loops.loop import PollLoop, StartWorkflow
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications.by_claim import Terms
from xnovu_poller.store.notifications.due import SCHEDULED


def scheduled_loop(
    engine: Engine, gate: Gate, *, terms: Terms, start: StartWorkflow, interval: timedelta
) -> PollLoop:
    """Make the loop of PENDING rows with a set time: apart, so that no backlog of new ones delays them."""
    return PollLoop(SCHEDULED, engine, gate, terms=terms, start=start, interval=interval)
