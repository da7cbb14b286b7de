"""Wake-ups: rolled back, in a flood, and kept in PostgreSQL's queue."""

from contextlib import suppress

import psycopg

from benchmarks.hostile.attacks.attack import Attack, Report, Target, attempt, enqueue, login, repeat


def rolled_back(target: Target, until: float, report: Report) -> None:
    """Cause a wake-up and roll it back, so that it takes the next producer's along."""
    with login(target.producer) as connection:
        for number in repeat(until, 0.004):
            connection.execute("BEGIN")
            with suppress(psycopg.Error):
                enqueue(report, connection, "a-plain", number)
                connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
            connection.execute("ROLLBACK")
            attempt(report, connection, "SELECT notify.wake_workers()")


def flood(target: Target, until: float, report: Report) -> None:
    """Notify the worker's channels without pause, and keep the queue from being emptied."""
    with login(target.tenant) as listener, login(target.tenant) as connection:
        listener.execute("LISTEN own")
        listener.execute("BEGIN")
        listener.execute("SELECT 1")
        for _ in repeat(until):
            attempt(
                report,
                connection,
                "SELECT pg_notify(channel, n::text || repeat('x', 4000))"
                " FROM generate_series(1, 50) n, unnest('{xnovu_due,xnovu_rules,own}'::text[]) AS channel",
            )


ATTACKS = (
    Attack("wake-ups that are rolled back", rolled_back),
    Attack("a flood of NOTIFY, and a session that keeps its queue", flood),
)
