"""The view Now: one line that is right in every state."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from xnovu_poller.store.chores import Chore
from xnovu_poller.store.minutes import Minute
from xnovu_poller.store.pauses import Pause, Paused
from xnovu_poller.store.worker_reports import WorkerReport
from xnovu_poller.web.page.rendering import render
from xnovu_poller.web.page.views.now import State, describe, find_problems

AT = datetime(2027, 3, 28, 12, 0, 30, tzinfo=UTC)


def a_worker(silent: float = 1.0, gate: Mapping[str, Any] | None = None, **components: str) -> WorkerReport:
    """Return a worker whose named components are degraded with a sentence."""
    healthy = {name: {"status": "healthy", "detail": ""} for name in ("database", "novu", "loops")}
    degraded = {name: {"status": "degraded", "detail": detail} for name, detail in components.items()}
    gate = {"closed": False, "reason": None, "pause_seconds": 0, "breakers": [], **(gate or {})}
    return WorkerReport(
        f"w{silent}", "1", AT, timedelta(seconds=silent), {"components": healthy | degraded}, gate
    )


WELL = State(
    at=AT,
    backlog={"new": 2, "scheduled": 0, "failed": 0, "in_flight": 1},
    oldest={"new": timedelta(seconds=3), "scheduled": None, "failed": None},
    waiting={},
    pauses=(),
    chores=(Chore("doctor", AT, timedelta(0), {"findings": []}, None),),
    workers=(a_worker(),),
    minutes=(),
)


def sentences(state: State) -> list[str]:
    """Return the problems."""
    return [problem.what for problem in find_problems(state)]


def test_all_is_well() -> None:
    """A lost worker beside others is no problem: its rows are rescued; a pause is somebody's wish."""
    pause = Pause(Paused("acme"), "why", "ann", AT, None)
    state = replace(WELL, workers=(a_worker(), a_worker(silent=3600)), pauses=(pause,))

    assert sentences(state) == []
    shown = render("now_part.html", describe(state))
    assert "All is well.</strong> 1 worker reports, and 1 pause holds notifications back." in shown


def test_no_worker_comes_first() -> None:
    """Without a worker, a late row has no other cause."""
    late = {"new": timedelta(hours=1), "scheduled": None, "failed": None}

    assert sentences(replace(WELL, workers=(a_worker(silent=61),), oldest=late)) == [
        "No worker reports, so nothing is sent."
    ]


def test_each_fault_has_its_sentence_and_what_to_do() -> None:
    """The worst of all workers counts for a component."""
    state = replace(
        WELL,
        workers=(a_worker(), a_worker(2, novu="novu: throttled", loops="")),
        oldest={"new": timedelta(minutes=3), "scheduled": None, "failed": None},
        chores=(
            Chore("retention", AT, timedelta(0), {}, "database: down"),
            Chore("doctor", AT, timedelta(0), {"findings": [{"code": "a", "sentence": "b: c; d"}] * 2}, None),
        ),
    )

    assert sentences(state) == [
        "Novu: throttled.",
        "Loops is degraded.",
        "Rows wait that are due and not paused; the oldest: new loop 3 min.",
        "The chore retention failed: database: down.",
        "The doctor found 2 faults, first: b: c; d.",
    ]
    assert all(problem.mend or problem.href for problem in find_problems(state))


def test_gates_breakers_and_pauses_are_words() -> None:
    """Nothing of a tenant is markup; a breaker that two workers know is shown once."""
    breaker = {"enterprise": "<b>acme", "workflow_key": "order-shipped", "closures": 1, "pause_seconds": 2}
    closed = {"closed": True, "reason": "novu: throttled", "pause_seconds": 4, "breakers": [breaker]}
    state = replace(WELL, workers=(a_worker(gate=closed), a_worker(2, gate={"breakers": [breaker]})))

    shown = render("now_part.html", describe(state))

    assert "gate closed</span> novu: throttled; it looks again in 4 s" in shown
    assert "gate open</span>" in shown
    assert shown.count("order-shipped</b> of <b>&lt;b&gt;acme</b> gets no answer") == 1


def test_rates_are_those_of_whole_minutes() -> None:
    """The minute that has just begun would lower them."""
    minute = Minute(AT, {"new": None, "scheduled": None, "failed": None}, None, None, 0, 0, 0)
    begun = AT.replace(second=0)
    minutes = [replace(minute, began_at=begun - timedelta(minutes=ago), sent=60) for ago in range(8)]

    assert describe(replace(WELL, minutes=minutes))["rates"]["sent"] == 60
