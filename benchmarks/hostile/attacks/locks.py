"""Locks: on the attacker's own rows, on tables, and advisory locks."""

import time
from contextlib import ExitStack, suppress

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from benchmarks.hostile.attacks.attack import (
    VICTIMS,
    Attack,
    Report,
    Target,
    attempt,
    enqueue,
    login,
    repeat,
)

SESSIONS = 16

_LOCK_OWN = """
SELECT id FROM notify.ent_notification WHERE notification_status IN ('PENDING', 'PROCESSING', 'FAILED')
ORDER BY id DESC LIMIT 5 FOR UPDATE SKIP LOCKED
"""

_TABLES = """
SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'notify'
"""

_MODES = ("ACCESS SHARE", "ROW SHARE", "ROW EXCLUSIVE", "SHARE", "EXCLUSIVE", "ACCESS EXCLUSIVE")


def rows(target: Target, until: float, report: Report) -> None:
    """Keep rows locked that the worker is about to send, from many sessions."""
    with ExitStack() as sessions:
        connections = [sessions.enter_context(login(target.producer)) for _ in range(SESSIONS)]
        for connection in connections:
            connection.execute("BEGIN")
        for number in repeat(until, 0.02):
            if number < SESSIONS * 5:
                enqueue(report, connections[0], "a-plain", number)
                attempt(report, connections[0], "COMMIT AND CHAIN")
            with suppress(psycopg.Error):
                connections[number % SESSIONS].execute(_LOCK_OWN)


def retractions(target: Target, until: float, report: Report) -> None:
    """Retract rows in transactions that stay open, with the login that a tenant holds."""
    with ExitStack() as sessions:
        source = sessions.enter_context(login(target.producer))
        for number in repeat(until, 0.05):
            if number < SESSIONS * 3:
                _retract(sessions.enter_context(login(target.tenant)), source, report, number)


def _retract(
    connection: Connection[TupleRow], source: Connection[TupleRow], report: Report, number: int
) -> None:
    enqueue(report, source, "a-plain", 1000 + number)
    found = source.execute("SELECT max(id) FROM notify.ent_notification").fetchone()
    connection.execute("BEGIN")
    attempt(report, connection, "SELECT notify.retract(%(id)s)", {"id": found[0] if found else 0})


def tables(target: Target, until: float, report: Report) -> None:
    """Try every lock on every table with both logins, and hold each lock that is granted for a moment."""
    with login(target.producer) as producer, login(target.tenant) as tenant:
        names = [name for (name,) in producer.execute(_TABLES).fetchall()]
        for connection in (producer, tenant):
            for mode in _MODES:
                for name in names:
                    _lock(connection, report, f"LOCK TABLE {name} IN {mode} MODE NOWAIT")
        time.sleep(max(0.0, until - time.monotonic()))


def _lock(connection: Connection[TupleRow], report: Report, statement: str) -> None:
    """Take a lock in a transaction of its own, and keep it for a moment if it is granted."""
    connection.execute("BEGIN")
    if attempt(report, connection, statement):
        time.sleep(0.2)
    connection.execute("ROLLBACK")


def advisory(target: Target, until: float, report: Report) -> None:
    """Hold the advisory locks whose keys used to be public."""
    with login(target.tenant, VICTIMS[0]) as connection:
        for key in ("xnovu-poller migrations", "xnovu-poller purge"):
            attempt(report, connection, "SELECT pg_advisory_lock(hashtext(%(key)s))", {"key": key})
        time.sleep(max(0.0, until - time.monotonic()))


ATTACKS = (
    Attack("own rows locked by 16 sessions", rows),
    Attack("own rows retracted in open transactions", retractions),
    Attack("LOCK TABLE on every table, in every mode", tables),
    Attack("advisory locks", advisory),
)
