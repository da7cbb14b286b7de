import pytest

from benchmarks.speed.results import RATIOS, Found, Raw, best, fastest, met, number, ratios, spreads

TARGETS = {
    "single_vs_local_activity": (0.9, "higher"),
    "single_vs_five_activities": (3, "higher"),
    "default_vs_fastest_python": (1, "higher"),
    "group_vs_fastest_python": (1.5, "higher"),
    "group_vs_fastest": (1, "higher"),
    "group_vs_single": (30, "higher"),
    "cpu_ms_per_notification_group": (0.107, "lower"),
    "wal_bytes_per_notification_group": (2864, "lower"),
    "idle_p50_vs_local_activity": (1.8, "lower"),
    "idle_p99_vs_local_activity": (2.2, "lower"),
    "claim_vs_raw": (0.7, "higher"),
    "claim_1m_vs_10k": (1.5, "lower"),
    "claim_history_10m": (1.2, "lower"),
    "fair_wait_turns": (2, "lower"),
    "fair_p95_seconds": (1.5, "lower"),
    "writers_with_wakeup": (0.9, "higher"),
    "actions_per_notification_single": (2, "lower"),
    "actions_per_notification_group": (0.05, "lower"),
    "memory_growth_mb": (30, "lower"),
    "idle_statements_per_second": (2, "lower"),
}

FIGURES = {
    "default_rows_s": 3000.0,
    "single_rows_s": 60.0,
    "group100_rows_s": 4000.0,
    "group100_cpu_ms": 0.3,
    "group100_wal_bytes": 4000.0,
    "sweep_500x1_rows_s": 9000.0,
    "sweep_500x1_cpu_ms": 0.1,
    "sweep_500x1_wal_bytes": 2000.0,
    "sweep_500x2_rows_s": 12000.0,
    "sweep_500x2_cpu_ms": 0.2,
    "sweep_500x2_wal_bytes": 3000.0,
    "local_activity_jobs_s": 75.0,
    "five_activities_jobs_s": 20.0,
    "procrastinate_jobs_s": 400.0,
    "pgqueuer_jobs_s": 2500.0,
    "graphile_worker_jobs_s": 10000.0,
    "raw_skip_locked_bulk_jobs_s": 90000.0,
    "idle_p50_ms": 20.0,
    "idle_p99_ms": 60.0,
    "local_activity_idle_p50_ms": 10.0,
    "local_activity_idle_p99_ms": 30.0,
    "claim_record_rows_s": 21000.0,
    "raw_rows_s": 30000.0,
    "claim_ms_10k": 4.0,
    "claim_ms_1m": 5.0,
    "claim_ms_history": 4.4,
    "fair_wait_turns": 1.0,
    "fair_p95_s": 1.25,
    "writers_with_s": 9500.0,
    "writers_without_s": 10000.0,
    "actions_single": 2.0,
    "actions_group": 0.02,
    "memory_growth_mb": 12.0,
    "idle_statements_s": 0.5,
}


def a_round(number: int, **figures: float) -> Raw:
    """Return the result of a measure."""
    return {"round": number, "measure": "some", "figures": figures}


def test_the_targets_do_not_change() -> None:
    """Names, bounds and directions are fixed."""
    assert {ratio.name: (ratio.target, ratio.better) for ratio in RATIOS} == TARGETS


def test_each_ratio_is_computed_from_its_figures() -> None:
    """With a single round, the medians are the figures themselves."""
    values = {name: found["value"] for name, found in ratios([a_round(1, **FIGURES)]).items()}

    assert values == pytest.approx(
        {
            "single_vs_local_activity": 0.8,
            "single_vs_five_activities": 3,
            "default_vs_fastest_python": 1.2,
            "group_vs_fastest_python": 1.6,
            "group_vs_fastest": 1.2,
            "group_vs_single": 4000 / 60,
            "cpu_ms_per_notification_group": 0.2,
            "wal_bytes_per_notification_group": 3000,
            "idle_p50_vs_local_activity": 2,
            "idle_p99_vs_local_activity": 2,
            "claim_vs_raw": 0.7,
            "claim_1m_vs_10k": 1.25,
            "claim_history_10m": 1.1,
            "fair_wait_turns": 1,
            "fair_p95_seconds": 1.25,
            "writers_with_wakeup": 0.95,
            "actions_per_notification_single": 2,
            "actions_per_notification_group": 0.02,
            "memory_growth_mb": 12,
            "idle_statements_per_second": 0.5,
        }
    )


def test_a_figure_over_the_rounds_is_its_median_with_its_range() -> None:
    """A bad round changes the range, not the figure."""
    found = spreads([a_round(1, rows_s=100), a_round(2, rows_s=10), a_round(3, rows_s=110)])["rows_s"]

    assert (found.median, found.low, found.high, found.rounds) == (100, 10, 110, 3)


def test_a_ratio_is_that_of_the_medians() -> None:
    """It is not the median of the ratios."""
    raw = [
        a_round(1, group100_rows_s=100, single_rows_s=1),
        a_round(2, group100_rows_s=200, single_rows_s=4),
        a_round(3, group100_rows_s=300, single_rows_s=2),
    ]

    assert ratios(raw)["group_vs_single"]["value"] == 100


def test_the_best_is_the_best_median() -> None:
    """Groups of 100 in one process are a candidate too; without any there is none."""
    assert best({"group100_rows_s": 5, "sweep_500x1_rows_s": 4}) == "group100"
    assert best(FIGURES) == "sweep_500x2"
    with pytest.raises(KeyError):
        best({"default_rows_s": 3000})


def test_the_fastest_peer_is_the_fastest_measured_peer() -> None:
    """References do not count, and a peer that is not installed is skipped."""
    assert fastest(FIGURES, ("procrastinate", "dbos")) == "procrastinate"
    assert fastest(FIGURES, ("procrastinate", "pgqueuer")) == "pgqueuer"
    with pytest.raises(KeyError):
        fastest(FIGURES, ("dbos",))


def test_a_ratio_without_a_measurement_has_no_value() -> None:
    """A failed measure has no figures."""
    failed: Raw = {"round": 1, "measure": "claims", "failed": "PeerFailed: gone"}

    assert all(found["value"] is None for found in ratios([failed]).values())


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({"value": 1.0, "target": 1, "better": "higher"}, True),
        ({"value": 0.9, "target": 1, "better": "higher"}, False),
        ({"value": 1.0, "target": 1, "better": "lower"}, True),
        ({"value": 1.1, "target": 1, "better": "lower"}, False),
        ({"value": None, "target": 1, "better": "lower"}, None),
    ],
)
def test_a_target_that_is_reached_is_met(found: Found, *, expected: bool | None) -> None:
    """Reaching it exactly is enough."""
    assert met(found) is expected


@pytest.mark.parametrize(
    ("value", "text"),
    [(11628.4, "11,628"), (55, "55.0"), (3.254, "3.25"), (0.02, "0.020"), (0, "0.000"), (-12.34, "-12.3")],
)
def test_a_figure_has_three_significant_places(value: float, text: str) -> None:
    """More would be noise."""
    assert number(value) == text
