from benchmarks.speed.profiles import PROFILES, explain
from benchmarks.speed.results import RATIOS

FIGURES = {
    "group100_rows_s": 3000.0,
    "group100_cpu_ms": 0.45,
    "group100_worker_cpu_ms": 0.23,
    "group100_postgres_cpu_ms": 0.1,
    "group100_temporal_cpu_ms": 0.12,
    "group100_wal_bytes": 4700.0,
    "group100_commits": 0.05,
    "group100_dead_rows": 3.0,
    "group100_hot_share": 0.25,
    "procrastinate_jobs_s": 600.0,
    "pgqueuer_jobs_s": 6000.0,
    "pgqueuer_cpu_ms": 0.2,
    "pgqueuer_worker_cpu_ms": 0.15,
    "pgqueuer_postgres_cpu_ms": 0.05,
    "pgqueuer_wal_bytes": 800.0,
    "pgqueuer_commits": 0.04,
    "pgqueuer_dead_rows": 2.0,
    "claim_record_rows_s": 10_000.0,
    "raw_rows_s": 25_000.0,
    "claim_ms_10k": 6.0,
    "idle_p50_ms": 18.0,
    "local_activity_idle_p50_ms": 9.0,
    "local_activity_idle_post_p50_ms": 9.5,
}


def test_a_throughput_is_explained_by_what_a_row_and_a_job_cost() -> None:
    """The peer is the fastest that was measured."""
    assert explain("group_vs_fastest_python", FIGURES) == (
        "A row costs 0.450 ms of CPU (worker 0.230, PostgreSQL 0.100, Temporal 0.120), 4,700 bytes of WAL, 0.050 commits,"
        " 3.00 dead rows; a job of pgqueuer 0.200 ms of CPU (worker 0.150, PostgreSQL 0.050), 800 bytes of WAL,"
        " 0.040 commits, 2.00 dead rows."
    )


def test_writes_are_explained_by_their_number_and_by_the_indexes_that_they_change() -> None:
    """They are those of the best group size."""
    assert explain("wal_bytes_per_notification_group", FIGURES) == (
        "A row costs 4,700 bytes of WAL, 0.050 commits, 3.00 dead rows; 25.0 % of its updates are HOT."
    )


def test_latencies_and_claims_are_explained_by_their_parts() -> None:
    """Both sides are named."""
    assert explain("idle_p50_vs_local_activity", FIGURES) == (
        "From before the INSERT until the arrival at the sink: 18.0 ms. The reference: from the start until its activity is"
        " entered 9.00 ms, until the arrival 9.50 ms."
    )
    assert explain("claim_vs_raw", FIGURES) == (
        "To claim and record 100 rows takes 10.0 ms; a claim by itself, among 10,000 due rows, 6.00 ms. The plain loop takes"
        " 4.00 ms for both."
    )


def test_without_the_figures_there_is_no_explanation() -> None:
    """Figures of other runs do not explain this run."""
    assert explain("single_vs_local_activity", FIGURES) is None
    assert explain("memory_growth_mb", FIGURES) is None


def test_every_explanation_belongs_to_a_target() -> None:
    """Names stay."""
    assert PROFILES.keys() <= {ratio.name for ratio in RATIOS}
