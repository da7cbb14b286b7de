"""The health of the deployment's chores: whether they run, and how their last runs went."""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from xnovu_poller import metrics
from xnovu_poller.errors import ScheduleMissing
from xnovu_poller.lifecycle import ChoreName, RowKind
from xnovu_poller.store import chores
from xnovu_poller.store.chores import Chore
from xnovu_poller.store.engine import Engine
from xnovu_poller.temporal.chores.keeper import ChoreKeeper
from xnovu_poller.temporal.chores.schedule import ChoreSchedule, ChoreScheduleState
from xnovu_poller.web.health import ProbeAnswer

LATE_INTERVALS = 5
LATE_AT_LEAST = timedelta(minutes=2)
"""/health is degraded if the rules were not reconciled for this many intervals, and for at least this long."""


class ChoreHealth:
    """Watches the chores for /health and /status; a fault of a chore never stops deliveries.

    Args:
        every: the schedule's interval.
    """

    def __init__(
        self, engine: Engine, schedule: ChoreSchedule, keeper: ChoreKeeper, *, every: timedelta
    ) -> None:
        self._engine = engine
        self._schedule = schedule
        self._keeper = keeper
        self._late_after = max(LATE_INTERVALS * every, LATE_AT_LEAST)
        self._state: ChoreScheduleState | None = None
        self._chores: Sequence[Chore] = ()
        self._reconciled_at: datetime | None = None
        # Measure from the start of this process by its own clock, because the clocks of two machines may differ.
        self._changed_at = time.monotonic()

    async def probe(self) -> ProbeAnswer:
        """Check with PostgreSQL and Temporal how the chores go; if their schedule is gone, have it created again.

        Raises:
            StoreUnavailable: PostgreSQL does not answer.
            TemporalError: Temporal does not answer, or the schedule does not exist.
        """
        if self._keeper.fault is not None:
            return ProbeAnswer("degraded", self._keeper.fault)
        if not self._keeper.is_ensured:
            return ProbeAnswer("healthy", "not scheduled yet")
        self._chores = await chores.read_all(self._engine)
        self._show_faulty_rows()
        try:
            self._state = await self._schedule.read_state()
        except ScheduleMissing:
            # Somebody has deleted it. The keeper notices that when it requests a run, and creates it again.
            self._keeper.request_run()
            raise
        return self._judge(self._state)

    def reports(self) -> dict[str, dict[str, Any]]:
        """Return the last report of each chore, as of the last probe."""
        return {chore.name: chore.report for chore in self._chores}

    def status(self) -> dict[str, Any]:
        """Describe the chores for /status, as of the last probe."""
        state = self._state
        return {
            "schedule": self._schedule.id,
            "paused": None if state is None else state.paused,
            "note": None if state is None else state.note,
            "next_at": None if state is None else _iso(state.next_at),
            "last_at": None if state is None else _iso(state.last_at),
            "last_runs": {
                chore.name: {
                    "finished_at": _iso(chore.finished_at),
                    "took_ms": round(chore.took / timedelta(milliseconds=1)),
                    "report": chore.report,
                    "error": chore.error,
                }
                for chore in self._chores
            },
        }

    def _show_faulty_rows(self) -> None:
        errors: dict[str, int] = self.reports().get(ChoreName.CHECKS, {}).get("errors", {})
        for kind in RowKind:
            metrics.FAULTY_ROWS.labels(kind).set(errors.get(kind, 0))

    def _judge(self, state: ChoreScheduleState) -> ProbeAnswer:
        rules = next((chore for chore in self._chores if chore.name == ChoreName.RULES), None)
        if state.paused:
            self._changed_at = time.monotonic()
            return ProbeAnswer("degraded", "chores: paused by a person; schedules do not follow the rules")
        if rules is not None and rules.finished_at != self._reconciled_at:
            self._reconciled_at, self._changed_at = rules.finished_at, time.monotonic()
        if time.monotonic() - self._changed_at > self._late_after.total_seconds():
            return ProbeAnswer("degraded", f"chores: rules were not reconciled for {self._late_after}")
        if rules is not None and rules.error is not None:
            return ProbeAnswer("degraded", f"chores: rules: {rules.error}")
        return ProbeAnswer("healthy")


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="seconds")
