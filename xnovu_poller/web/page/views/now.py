"""Now: what waits, how much is sent, what fails, and what to do about it."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from xnovu_poller.lifecycle import ChoreName, LoopName
from xnovu_poller.store import chores, minutes, pauses, worker_reports
from xnovu_poller.store.chores import Chore
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.minutes import Minute
from xnovu_poller.store.notifications.backlog import COUNTED_AT_MOST, count_backlog, oldest_due
from xnovu_poller.store.notifications.waiting import Waiting, read_waiting
from xnovu_poller.store.pauses import Pause
from xnovu_poller.store.worker_reports import WorkerReport
from xnovu_poller.web.fresh import Fresh
from xnovu_poller.web.page import charts
from xnovu_poller.web.page.desk import Desk
from xnovu_poller.web.page.rendering import duration, render

SPAN = timedelta(hours=6)
"""The charts show this much."""

SILENT_AFTER = timedelta(seconds=60)
"""A worker that has not reported for this long counts as lost."""

LATE_AFTER = timedelta(minutes=2)
"""A row that has been due for this long without a known reason is a problem."""

RATE_OVER = 5
"""The rates are those of this many minutes."""

WAITING_SECONDS = 15.0
"""The enterprises that wait longest are read this often: with ten thousand of them that takes a while."""

SHOWN = 8
"""The most enterprises, pauses and breakers on this view; other views show the rest."""


@dataclass(frozen=True, slots=True)
class State:
    """What PostgreSQL knew at one moment.

    Attributes:
        backlog: the due rows by loop, and the rows in flight; each count stops at 10,000.
        oldest: for how long the oldest row of each loop has been due.
    """

    at: datetime
    backlog: Mapping[str, int]
    oldest: Mapping[str, timedelta | None]
    waiting: Mapping[str, Waiting]
    pauses: Sequence[Pause]
    chores: Sequence[Chore]
    workers: Sequence[WorkerReport]
    minutes: Sequence[Minute]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is not well, and what to do."""

    what: str
    mend: str
    href: str | None = None


async def read_state(engine: Engine, waiting: Mapping[str, Waiting]) -> State:
    """Read all that the view shows.

    Args:
        waiting: the enterprises that wait longest, as of a few seconds ago.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    backlog, oldest, paused = await asyncio.gather(
        count_backlog(engine), oldest_due(engine), pauses.read_all(engine)
    )
    done, workers, counted = await asyncio.gather(
        chores.read_all(engine), worker_reports.read_workers(engine), minutes.read_minutes(engine, SPAN)
    )
    return State(datetime.now(UTC), backlog, oldest, waiting, paused, done, workers, counted)


class Now:
    """The view, which all clients share while it is fresh."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting = Fresh(partial(read_waiting, engine, SHOWN), WAITING_SECONDS)
        self._html = Fresh(self._make)

    async def read(self) -> str:
        """Return the part of the view that changes, as HTML.

        Raises:
            StoreUnavailable: PostgreSQL does not answer.
        """
        return await self._html.read()

    async def _make(self) -> str:
        return render("now_part.html", describe(await read_state(self._engine, await self._waiting.read())))

    async def show(self, desk: Desk, request: Request) -> Response:
        """Show the whole view."""
        return desk.show(request, "now.html", active="/", part=Markup(await self.read()))  # noqa: S704 - rendered by us


def describe(state: State) -> dict[str, Any]:
    """Return what the template names."""
    problems = list(find_problems(state))
    lively = [worker for worker in state.workers if worker.silent < SILENT_AFTER]
    return {
        "state": state,
        "problems": problems,
        "loops": [_describe_loop(state, loop) for loop in LoopName],
        "in_flight": state.backlog["in_flight"],
        "most": COUNTED_AT_MOST,
        "rates": _rates(state),
        "charts": _draw(state),
        "hours": SPAN // timedelta(hours=1),
        "lively": lively,
        "components": _components(lively),
        "breakers": _breakers(lively),
        "shown": SHOWN,
    }


def find_problems(state: State) -> Iterator[Problem]:
    """Yield what needs a person, the most urgent first."""
    lively = [worker for worker in state.workers if worker.silent < SILENT_AFTER]
    if not lively:
        yield Problem(
            "No worker reports, so nothing is sent.",
            "Start one: `xnovu worker start`. If workers run, look at their logs: they do not reach this database.",
        )
    for name, (status, detail) in _components(lively).items():
        if status != "healthy":
            yield Problem(_capitalise(detail or f"{name} is {status}"), *_MENDS.get(name, _LOOK_UP))
    late = [
        f"{loop} loop {duration(since)}"
        for loop, since in state.oldest.items()
        if since and since > LATE_AFTER
    ]
    if late and lively:
        yield Problem(
            f"Rows wait that are due and not paused; the oldest: {', '.join(late)}.",
            "If the rates below are not zero, the backlog shrinks; otherwise look at the gate and the breakers.",
        )
    yield from _find_problems_of_chores(state)


_LOOK_UP = ("Look the sentence up in docs/runbook.md.", "/doctor")
_MENDS = {
    "novu": (
        "No row fails by that: claims go on by themselves. If it lasts, check Novu, its plan and the key.",
        "/doctor",
    ),
    "worker": ("Look at the log of the worker.", None),
    "loops": ("Look at the log of the worker.", None),
    "deliveries": ("Look at the DEAD notifications.", "/notifications?state=DEAD"),
    "chores": ("Rules are followed late, and nothing is deleted.", "/doctor"),
}
"""What to do about a component that is not healthy, and where to look."""


def _capitalise(sentence: str) -> str:
    return f"{sentence[:1].upper()}{sentence[1:].rstrip('.')}."


def _find_problems_of_chores(state: State) -> Iterator[Problem]:
    for chore in state.chores:
        if chore.error is not None:
            yield Problem(
                f"The chore {chore.name} failed: {chore.error}.", "The next run follows by itself.", "/doctor"
            )
    report = next((chore.report for chore in state.chores if chore.name == ChoreName.DOCTOR), {})
    # What people have paused is on this page already, and no fault.
    if found := [each for each in report.get("findings", ()) if each["code"] != "paused"]:
        more = f"The doctor found {len(found)} faults, first" if len(found) > 1 else "The doctor found"
        yield Problem(f"{more}: {found[0]['sentence']}.", "", "/doctor")


def _describe_loop(state: State, loop: LoopName) -> dict[str, Any]:
    points = {each.began_at: float(due) for each in state.minutes if (due := each.due[loop]) is not None}
    chart = charts.draw(
        f"Due rows of the {loop} loop",
        [charts.Series("waiting", points)],
        end=state.at,
        span=SPAN,
        gaps=True,
        # The loops are compared.
        least=max((each.waiting or 0 for each in state.minutes), default=0),
    )
    return {"name": loop.value, "due": state.backlog[loop], "oldest": state.oldest[loop], "chart": chart}


def _rates(state: State) -> dict[str, float]:
    """Return how much was done a minute, over the last whole minutes."""
    since = state.at.replace(second=0, microsecond=0) - timedelta(minutes=RATE_OVER)
    lately = [each for each in state.minutes if since <= each.began_at < since + timedelta(minutes=RATE_OVER)]
    return {
        kind: sum(getattr(each, kind) for each in lately) / RATE_OVER for kind in ("sent", "failed", "dead")
    }


def _draw(state: State) -> dict[str, Any]:
    """Return the charts, and the highest value of each."""

    def points(kind: str) -> dict[datetime, float]:
        found = {each.began_at: getattr(each, kind) for each in state.minutes}
        return {at: float(value) for at, value in found.items() if value is not None}

    def chart(title: str, *kinds: str, gaps: bool = False) -> Markup:
        series = [charts.Series(kind, points(kind)) for kind in kinds]
        return charts.draw(title, series, end=state.at, span=SPAN, gaps=gaps)

    counted = [each for each in state.minutes if each.waiting is not None]
    oldest = {each.began_at: each.oldest_due_seconds or 0.0 for each in counted}
    peaks = {kind: max(points(kind).values(), default=0) for kind in ("sent", "failed", "dead", "waiting")}
    return {
        "peaks": peaks,
        "sent": chart("Sent a minute", "sent"),
        "failed": chart("Failed attempts and deaths a minute", "failed", "dead"),
        "waiting": chart("Rows that are due", "waiting", gaps=True),
        "oldest": charts.draw(
            "Seconds that the oldest row waits",
            [charts.Series("oldest", oldest)],
            end=state.at,
            span=SPAN,
            gaps=True,
        ),
        "in_flight": chart("Rows in flight", "in_flight", gaps=True),
    }


_ORDER = ("healthy", "degraded", "unhealthy")
_COMPONENTS = ("database", "temporal", "novu", "worker", "loops", "deliveries", "chores")
_PLACES = {name: place for place, name in enumerate(_COMPONENTS)}


def _components(workers: Sequence[WorkerReport]) -> dict[str, tuple[str, str]]:
    """Return the worst health of each component over the workers, with its sentence."""
    worst: dict[str, tuple[str, str]] = {}
    for worker in workers:
        for name, found in worker.health.get("components", {}).items():
            status, detail = found["status"], found["detail"]
            if name not in worst or _ORDER.index(status) > _ORDER.index(worst[name][0]):
                worst[name] = status, detail
    return dict(
        sorted(
            worst.items(), key=lambda item: (-_ORDER.index(item[1][0]), _PLACES.get(item[0], len(_PLACES)))
        )
    )


def _breakers(workers: Sequence[WorkerReport]) -> list[dict[str, Any]]:
    """Return the workflows that workers turn away, each once."""
    found = {
        (each["enterprise"], each["workflow_key"]): each
        for worker in workers
        for each in worker.gate.get("breakers", [])
    }
    return list(found.values())
