"""What a system writes: WAL, commits and dead rows, as PostgreSQL counts them. They hardly depend on the machine's speed."""

from dataclasses import dataclass

import psycopg

from benchmarks.speed.scene import Figures

# A backend reports its counts when it is idle or ends, at the latest: read the end when the system has ended.
_COUNTS = """
SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8, activity.xact_commit,
    updates.all_rows, updates.hot_rows, updates.dead_rows
FROM pg_stat_database AS activity,
    (SELECT coalesce(sum(n_tup_upd), 0)::int8 AS all_rows, coalesce(sum(n_tup_hot_upd), 0)::int8 AS hot_rows,
        coalesce(sum(n_tup_upd + n_tup_del), 0)::int8 AS dead_rows
     FROM pg_stat_user_tables) AS updates
WHERE activity.datname = current_database()"""


@dataclass(frozen=True, slots=True)
class Writes:
    """The counts of a database at a moment.

    Attributes:
        wal: bytes of WAL, of the whole server.
        commits: transactions.
        updates: updated rows.
        hot: updated rows whose indexes did not change.
        dead: rows that an update or a delete has replaced or removed.
    """

    wal: float
    commits: int
    updates: int
    hot: int
    dead: int

    @classmethod
    def read(cls, url: str) -> "Writes":
        """Read the counts of now."""
        with psycopg.connect(url, autocommit=True) as connection:
            found = connection.execute(_COUNTS).fetchone()
        assert found is not None  # noqa: S101 - a session sees its own database
        return cls(*found)

    def per_job(self, before: "Writes", name: str, jobs: int) -> Figures:
        """Return what each job has cost since; HOT updates as a share of all updates, if there were any."""
        figures = {
            f"{name}_wal_bytes": (self.wal - before.wal) / jobs,
            f"{name}_commits": (self.commits - before.commits) / jobs,
            f"{name}_dead_rows": (self.dead - before.dead) / jobs,
        }
        if updates := self.updates - before.updates:
            figures[f"{name}_hot_share"] = (self.hot - before.hot) / updates
        return figures
