import pytest

from benchmarks.speed import report
from benchmarks.speed.report import render
from benchmarks.speed.results import Raw, Results, ratios

RAW: list[Raw] = [
    {
        "round": 1,
        "measure": "single",
        "figures": {"single_rows_s": 50.0, "idle_p50_ms": 12.0, "idle_p99_ms": 30.0, "single_cpu_ms": 20.5},
        "loop_ms": 9.0,
        "stolen_percent": 0.4,
    },
    {"round": 2, "measure": "single", "figures": {"single_rows_s": 60.0}},
    {
        "round": 1,
        "measure": "pgqueuer",
        "figures": {
            "pgqueuer_jobs_s": 2500.0,
            "pgqueuer_cpu_ms": 0.2,
            "pgqueuer_wal_bytes": 600.0,
            "pgqueuer_commits": 0.04,
            "pgqueuer_dead_rows": 1.0,
        },
    },
    {"round": 1, "measure": "local", "figures": {"local_activity_jobs_s": 100.0, "claim_ms_10k": 3.25}},
    {"round": 1, "measure": "dbos", "failed": "NotInstalled: the package dbos\nis missing"},
]
FACTS = {"date": "2030-01-02", "rounds": 2, "cores": 2, "cpu": "a fast one", "packages": {"psycopg": "3"}}


def some_results(**facts: object) -> Results:
    """Return the results of a small run."""
    return {"facts": FACTS | facts, "ratios": ratios(RAW), "raw": RAW}


def test_each_target_is_shown_with_its_value_and_verdict() -> None:
    """A missed target stays in the table."""
    text = render(some_results())

    assert "| 0.550 | ≥ 0.9 | **missed** |" in text
    assert "| - | ≥ 30 | not measured |" in text


def test_a_missed_target_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """A target that was met, not measured, or of which nothing is known has no explanation."""
    known = {"single_vs_local_activity": "in the claim", "group_vs_single": "nowhere"}
    monkeypatch.setattr(report, "explain", lambda name, _: known.get(name))

    text = render(some_results())

    assert "- `single_vs_local_activity`: in the claim" in text
    assert "nowhere" not in text


def test_each_system_is_shown_with_its_median_and_range() -> None:
    """Ours is first; a figure that was not measured is a dash."""
    text = render(some_results())

    assert (
        "| **xnovu-poller, one workflow a row** | 55.0 (50.0 to 60.0) | 12.0 | 30.0 | 20.5 | - | - | - | - |"
        in text
    )
    assert "| pgqueuer | 2,500 | - | - | 0.200 | 600 | 0.040 | 1.00 | - |" in text


def test_every_other_figure_is_shown_too() -> None:
    """The number of rounds is shown with it."""
    assert "| `claim_ms_10k` | 3.25 | 1 |" in render(some_results())


def test_a_failed_peer_is_listed_with_the_reason() -> None:
    """The reason fits on one line."""
    assert "- dbos: NotInstalled: the package dbos is missing" in render(some_results())


def test_the_machine_is_described() -> None:
    """A reader needs its cores and versions, and how steady it was."""
    text = render(some_results())

    assert "rounds: 2, cores: 2 (a fast one)" in text
    assert "| packages | psycopg 3 |" in text
    assert "Loop: 9 to 9 ms. Taken by the host during a measure: up to 0.4 %" in text


def test_the_report_of_a_quick_run_warns_that_it_is_rough() -> None:
    """Nobody should quote it."""
    assert "the figures are rough" in render(some_results(quick=True))
    assert "the figures are rough" not in render(some_results(quick=False))
