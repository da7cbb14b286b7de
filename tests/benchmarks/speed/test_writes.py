from benchmarks.speed.writes import Writes


def test_a_job_pays_for_what_was_written_since() -> None:
    """Updates that changed no index are a share of all updates."""
    before = Writes(wal=100.0, commits=10, updates=20, hot=5, dead=30)
    after = Writes(wal=2100.0, commits=15, updates=40, hot=10, dead=60)

    assert after.per_job(before, "some", 10) == {
        "some_wal_bytes": 200.0,
        "some_commits": 0.5,
        "some_dead_rows": 3.0,
        "some_hot_share": 0.25,
    }


def test_without_updates_no_share_of_them_is_hot() -> None:
    """A queue may only insert and delete."""
    counts = Writes(wal=1.0, commits=1, updates=7, hot=7, dead=9)

    assert "some_hot_share" not in counts.per_job(counts, "some", 10)
