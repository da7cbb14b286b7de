"""Migrate beside others: one process at a time, no writer waits for long, and the log names the sessions that make us wait."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from typing import Any

import psycopg
from psycopg import errors
from psycopg.errors import DeadlockDetected, LockNotAvailable
from sqlalchemy import Connection, Engine, TextClause, text
from sqlalchemy.exc import DBAPIError, OperationalError

from xnovu_poller.errors import StoreError
from xnovu_poller.pacing import doubled
from xnovu_poller.store.schema import dependents, lacking_right

log = logging.getLogger("xnovu.migrations")

PATIENCE = timedelta(minutes=5)
"""How long a migration tries to get its locks."""

_PAUSE, _LONGEST_PAUSE = timedelta(seconds=0.5), timedelta(seconds=4)
"""Between two tries writers have time for their work: the longer others keep us waiting, the more."""

SETTINGS = text(
    "SET lock_timeout = '900ms'; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0"
)
"""No limit of the login or the database ends a migration, and a wait ends before PostgreSQL looks for deadlocks (1 s)."""

# The session that has inserted this row, and does not commit it, has the turn. It needs the right to write the table, which only
# the owner of the schema has, and it ends with the session. The wait is short, because a CREATE INDEX CONCURRENTLY of
# the migration under way waits for ours.
_BRIEFLY = text("SET LOCAL lock_timeout = '100ms'")
_TAKE_TURN = text("INSERT INTO notify.alembic_version (version_num) VALUES ('a migration is under way')")

_TURN_HOLDERS = text("""
    SELECT pg_catalog.array_agg(pid) FROM pg_catalog.pg_locks
    WHERE relation = 'notify.alembic_version'::pg_catalog.regclass AND granted AND pid <> pg_catalog.pg_backend_pid()""")

_OWN_PID = text("SELECT pg_catalog.pg_backend_pid()")
_BLOCKERS = text("SELECT pg_catalog.pg_blocking_pids(:waiting)")

_SESSIONS = text("""
    SELECT pg_catalog.string_agg(pg_catalog.concat('pid ', pid, ' (', concat_ws(', ', NULLIF(application_name, ''),
        usename, 'in a transaction since ' || pg_catalog.date_trunc('second', xact_start)), ')'), '; ' ORDER BY xact_start)
    FROM pg_catalog.pg_stat_activity WHERE pid = ANY(:pids)""")


def describe(connection: Connection, pids: list[int] | None) -> str | None:
    """Describe the sessions of these processes, the oldest transaction first; return None if there is none of them."""
    found: str | None = connection.scalar(_SESSIONS, {"pids": pids}) if pids else None
    return found


class Blockers:
    """The sessions that made us wait, as last seen; each change goes to the log."""

    def __init__(self) -> None:
        self.seen = "sessions that have ended"

    def look(self, connection: Connection, find: TextClause, **values: object) -> None:
        """Find the process ids of those who are in our way now, and describe them."""
        found = describe(connection, connection.scalar(find, values))
        if found and found != self.seen:
            log.warning("migration: waiting for %s", found)
            self.seen = found


def report_notices(connection: Connection) -> None:
    """Log what our migrations raise as a notice; PostgreSQL's own notices have no context of PL/pgSQL."""

    def report(notice: errors.Diagnostic) -> None:
        if notice.context and notice.message_primary:
            log.warning("migration: %s", notice.message_primary)

    session: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]
    session.add_notice_handler(report)


@contextmanager
def watched(engine: Engine, connection: Connection) -> Iterator[Blockers]:
    """Look who blocks a connection, by another connection, while its statements wait."""
    blockers, ended = Blockers(), threading.Event()
    pid = connection.scalar(_OWN_PID)
    connection.rollback()

    def watch() -> None:
        # A migration that nobody blocks needs no second connection.
        if ended.wait(_PAUSE.total_seconds()):
            return
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as watcher:
            while not ended.wait(_PAUSE.total_seconds()):
                blockers.look(watcher, _BLOCKERS, waiting=pid)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield blockers
    finally:
        ended.set()
        thread.join()


@contextmanager
def turn(engine: Engine) -> Iterator[None]:
    """Let no other process migrate; wait for the process that does.

    Raises:
        StoreError: another process has been migrating for as long as we wait.
    """
    with engine.connect() as keeper:
        keeper.execute(SETTINGS)
        keeper.commit()
        blockers = Blockers()

        try_for_locks(lambda: _in_turn(keeper, _TAKE_TURN, blockers), blockers)
        try:
            yield
        finally:
            keeper.rollback()


def _in_turn(connection: Connection, statement: TextClause, blockers: Blockers) -> None:
    """Run a statement that waits for the process that has the turn, and see which process that is."""
    try:
        connection.execute(_BRIEFLY)
        connection.execute(statement)
    except OperationalError:
        connection.rollback()
        blockers.look(connection, _TURN_HOLDERS)
        connection.rollback()
        raise


def try_for_locks(attempt: Callable[[], None], blockers: Blockers) -> None:
    """Repeat what gives up a lock after a moment and leaves nothing behind then, until it gets its locks.

    Raises:
        StoreError: it did not get them within `PATIENCE`.
    """
    give_up_at = time.monotonic() + PATIENCE.total_seconds()
    for tries in count():
        try:
            attempt()
        except OperationalError as error:
            if not isinstance(error.orig, DeadlockDetected | LockNotAvailable):
                raise
            if time.monotonic() > give_up_at:
                raise StoreError(
                    f"database: others hold what the migration needs: {blockers.seen}; end them, or try again later"
                ) from None
        else:
            return
        time.sleep(doubled(_PAUSE, _LONGEST_PAUSE, tries).total_seconds())


_HAS_SCHEMA = text("SELECT pg_catalog.to_regnamespace('notify') IS NOT NULL")
_HAS_VERSION_TABLE = text("SELECT pg_catalog.to_regclass('notify.alembic_version') IS NOT NULL")
# CREATE SCHEMA IF NOT EXISTS would need the right to create a schema even if it exists.
_MAKE_SCHEMA = text("CREATE SCHEMA notify")
MAKE_VERSION_TABLE = text("""
    CREATE TABLE notify.alembic_version (
        version_num character varying(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))""")

# No migration can add it: the process that has the turn holds a lock on the table.
_HAS_COLUMN = text("""
    SELECT EXISTS (SELECT FROM pg_catalog.pg_attribute
        WHERE attrelid = 'notify.alembic_version'::pg_catalog.regclass AND attname = 'compatible_from')""")
ADD_COLUMN = text("""
    ALTER TABLE notify.alembic_version ADD COLUMN IF NOT EXISTS compatible_from character varying(32);
    COMMENT ON COLUMN notify.alembic_version.compatible_from IS
        'Versions whose own revision is this or a later one work with the schema; null: only a version of version_num.'""")
"""Can be repeated."""
_WRITE_COLUMN = text(
    "UPDATE notify.alembic_version SET compatible_from = :compatible_from WHERE version_num = :revision"
)


def write_compatible_from(revision: str, compatible_from: str | None) -> TextClause:
    """Return the statement that writes from which revision on a version works with the new revision."""
    return _WRITE_COLUMN.bindparams(revision=revision, compatible_from=compatible_from)


def make_version_table(connection: Connection) -> bool:
    """Create the schema and Alembic's table, and return whether they were missing and no other process creates them."""
    made = [
        _make(connection, statement)
        for exists, statement in ((_HAS_SCHEMA, _MAKE_SCHEMA), (_HAS_VERSION_TABLE, MAKE_VERSION_TABLE))
        if not connection.scalar(exists)
    ]
    connection.commit()
    if not connection.scalar(_HAS_COLUMN):
        blockers = Blockers()
        try_for_locks(lambda: _in_turn(connection, ADD_COLUMN, blockers), blockers)
    connection.commit()
    return any(made)


def _make(connection: Connection, statement: TextClause) -> bool:
    try:
        with connection.begin_nested():
            connection.execute(statement)
    except DBAPIError as error:
        # Another process creates it at the same moment: a unique index of the catalogue refuses it, or PostgreSQL itself.
        if not isinstance(
            error.orig, errors.UniqueViolation | errors.DuplicateSchema | errors.DuplicateTable
        ):
            raise
        return False
    return True


_DROP_VERSION_TABLE = text("DROP TABLE IF EXISTS notify.alembic_version")
_DROP_SCHEMA = text("DROP SCHEMA notify")


def drop_schema(connection: Connection) -> None:
    """Drop Alembic's own table, and the schema unless somebody else has objects in it."""
    connection.execute(_DROP_VERSION_TABLE)
    try:
        with connection.begin_nested():
            connection.execute(_DROP_SCHEMA)
    except DBAPIError as error:
        if dependents(error.orig) is None:
            raise
    connection.commit()


_NOT_OURS = (
    "database: the schema notify already has what the migration creates ({}); if notify.alembic_version lost its row,"
    " insert the revision that it had, else move the object away"
)
_REFUSALS: Mapping[type[errors.Error], str] = {
    errors.DuplicateFunction: _NOT_OURS,
    errors.DuplicateObject: _NOT_OURS,
    errors.DuplicateTable: _NOT_OURS,
    errors.UniqueViolation: "database: two rows have the same key ({}); delete one of them",
    errors.QueryCanceled: "database: the migration was cancelled ({}); run it again",
}


def refusal_of(error: BaseException | None) -> str | None:
    """Return why PostgreSQL refuses the migration and what to do; None if it is another error."""
    if found := dependents(error):
        return f"database: drop what depends on our schema first: {found}"
    if lacking := lacking_right(error):
        return f"the login may not migrate this database: {lacking}"
    if isinstance(error, errors.Error) and (sentence := _REFUSALS.get(type(error))):
        return sentence.format(error.diag.message_detail or error.diag.message_primary)
    return None
