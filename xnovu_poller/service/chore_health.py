"""The deployment's chores as this replica sees them: whether they are done, and how the last ones went."""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from xnovu_poller.errors import ScheduleMissing
from xnovu_poller.lifecycle import seconds
from xnovu_poller.store import chores
from xnovu_poller.store.chores import Chore
from xnovu_poller.store.engine import Engine
from xnovu_poller.temporal.chores.keeper import Conductor
from xnovu_poller.temporal.chores.schedule import Conducted, Orchestra
from xnovu_poller.temporal.contract import CHORES
from xnovu_poller.web.server import ProbeAnswer

LATE_INTERVALS = 5
LATE_AT_LEAST = timedelta(minutes=2)
"""Rules that were not compared for so long, and so many intervals, are told at /health."""

_RULES = CHORES[0]


class Orchestration:
    """Looks after the orchestration for /health and /status; what is wrong there keeps nobody from delivering.

    Args:
        engine: where the chores write how they went.
        orchestra: where the schedule stands.
        conductor: ensures it.
        every: the schedule's interval.
    """

    def __init__(
        self, engine: Engine, orchestra: Orchestra, conductor: Conductor, *, every: timedelta
    ) -> None:
        self._engine = engine
        self._orchestra = orchestra
        self._conductor = conductor
        self._late_after = max(LATE_INTERVALS * every, LATE_AT_LEAST)
        self._state: Conducted | None = None
        self._chores: Sequence[Chore] = ()
        self._compared_at: datetime | None = None
        # By our own clock, and counted from the start: two clocks are never compared.
        self._news_at = time.monotonic()

    async def probe(self) -> ProbeAnswer:
        """Ask both how it goes; if there is no such schedule any more, have it made again.

        Raises:
            StoreUnavailable: PostgreSQL does not answer.
            HandoffError: Temporal does not, or there is no such schedule.
        """
        if self._conductor.fault is not None:
            return ProbeAnswer("degraded", self._conductor.fault)
        if not self._conductor.ensured:
            return ProbeAnswer("healthy", "not made yet")
        self._chores = await chores.noted(self._engine)
        try:
            self._state = await self._orchestra.state()
        except ScheduleMissing:
            # Somebody has deleted it: whoever rings for it finds that out, and makes it again.
            self._conductor.ring()
            raise
        return self._answer(self._state)

    def status(self) -> dict[str, Any]:
        """Tell how it stood when it was last asked, for /status."""
        state = self._state
        return {
            "schedule": self._orchestra.schedule,
            "paused": None if state is None else state.paused,
            "note": None if state is None else state.note,
            "next_at": None if state is None else _iso(state.next_at),
            "last_at": None if state is None else _iso(state.last_at),
            "chores": {
                chore.name: {
                    "finished_at": _iso(chore.finished_at),
                    "took_ms": round(chore.took / timedelta(milliseconds=1)),
                    "report": chore.report,
                    "error": chore.error,
                }
                for chore in self._chores
            },
        }

    def _answer(self, state: Conducted) -> ProbeAnswer:
        rules = next((chore for chore in self._chores if chore.name == _RULES), None)
        if state.paused:
            self._news_at = time.monotonic()
            return ProbeAnswer("degraded", "orchestration: paused by a person; rules are not followed")
        if rules is not None and rules.finished_at != self._compared_at:
            self._compared_at, self._news_at = rules.finished_at, time.monotonic()
        if time.monotonic() - self._news_at > seconds(self._late_after):
            return ProbeAnswer("degraded", f"orchestration: no word of {_RULES} for {self._late_after}")
        if rules is not None and rules.error is not None:
            return ProbeAnswer("degraded", f"{_RULES}: {rules.error}")
        return ProbeAnswer("healthy")


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="seconds")
