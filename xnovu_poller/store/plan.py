"""The plan of an upgrade: the SQL of its revisions as a script, which locks they take, and what each lock waits for."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import StringIO
from typing import Any, Self

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import Script
from sqlalchemy import Connection, text
from sqlalchemy.exc import DatabaseError

from xnovu_poller.errors import StoreError
from xnovu_poller.store import migrating, schema
from xnovu_poller.store.engine import connect_for_migrations
from xnovu_poller.store.session import unavailable

_SHARE_UPDATE = "SHARE UPDATE EXCLUSIVE"
_WAITS = {
    "ACCESS EXCLUSIVE": "waits for all who use the table; then readers and writers wait",
    "SHARE ROW EXCLUSIVE": "waits for all who write the table; then writers wait",
    _SHARE_UPDATE: "waits for VACUUM and index builds; readers and writers go on",
}
_BUILD_WAITS = "waits for all transactions that are under way; readers and writers go on"

# Which locks of others each lock waits for, as pg_locks names them: chapter 13.3 of PostgreSQL's manual.
_OF_DDL = [
    "ShareUpdateExclusiveLock",
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
]
_OF_WRITERS = [*_OF_DDL, "RowExclusiveLock"]
_CONFLICTS = {
    "ACCESS EXCLUSIVE": [*_OF_WRITERS, "RowShareLock", "AccessShareLock"],
    "SHARE ROW EXCLUSIVE": _OF_WRITERS,
    _SHARE_UPDATE: _OF_DDL,
}

_LOCK_TABLE = re.compile(r"^LOCK TABLE ([\w.,\s]+?)\s+IN ([A-Z ]+) MODE;", re.MULTILINE)
_BUILT = re.compile(r"^CREATE(?: UNIQUE)? INDEX CONCURRENTLY[\w\s]+?\sON (notify\.\w+)", re.MULTILINE)
_DROPPED = re.compile(r"^DROP INDEX CONCURRENTLY (?:IF EXISTS )?(notify\.\w+)", re.MULTILINE)

_HOLDERS = text("""
    SELECT pg_catalog.array_agg(pid)
    FROM pg_catalog.pg_stat_activity
    WHERE pid <> pg_catalog.pg_backend_pid() AND datname = pg_catalog.current_database()
        AND (:is_build AND xact_start IS NOT NULL
            OR pid IN (SELECT pid FROM pg_catalog.pg_locks
                WHERE relation = pg_catalog.to_regclass(:relation) AND granted AND mode = ANY(:modes)))""")


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock that a revision takes.

    Attributes:
        mode: as PostgreSQL's manual names it.
        relation: the table, or an index that is dropped.
        is_build: of a statement with CONCURRENTLY.
    """

    mode: str
    relation: str
    is_build: bool = False

    @property
    def waits(self) -> str:
        """What it waits for, and who waits meanwhile."""
        return _BUILD_WAITS if self.is_build else _WAITS[self.mode]


def locks_of(sql: str) -> list[Lock]:
    """Return the locks of a revision: those of `LOCK TABLE`, and those of statements with CONCURRENTLY."""
    found = [
        Lock(mode, table.strip()) for tables, mode in _LOCK_TABLE.findall(sql) for table in tables.split(",")
    ]
    built = [*_BUILT.findall(sql), *_DROPPED.findall(sql)]
    return found + [Lock(_SHARE_UPDATE, name, is_build=True) for name in dict.fromkeys(built)]


def script(start: str, end: str) -> str:
    """Return the SQL that brings a database from one revision to another, for psql; connect to nothing.

    Args:
        start: where the database is; `base`: it is empty.
        end: a revision, or `head`.

    Raises:
        StoreError: there is no such revision.
    """
    return "\n".join(_lines(_way(start, end), None))


def plan(url: str, end: str = "head") -> str:
    """Return the same for the database of `url` (`postgresql+psycopg://…`), with the sessions that are in the way now.

    Raises:
        SchemaUnreleased: a version before the first release made its schema.
        SchemaAhead: a newer version has migrated it.
        StoreError: there is no such revision.
        StoreUnavailable: PostgreSQL does not answer.
    """
    engine = connect_for_migrations(url)
    try:
        with engine.connect() as connection:
            found = schema.read_revision(connection)
            schema.refuse_unknown(*found)
            return "\n".join(_lines(_way(found[0] or _BASE, end), connection))
    except DatabaseError as error:
        raise unavailable(error.orig) from error
    finally:
        engine.dispose()


_BASE = "base"


def _way(start: str, end: str) -> list[Script]:
    """Return the revisions of an upgrade, the next first."""
    scripts = [*schema.scripts().walk_revisions()][::-1]
    places = {script.revision: place for place, script in enumerate(scripts, 1)}
    places |= {_BASE: 0, "head": len(scripts)}
    if unknown := {start, end} - set(places):
        raise StoreError(f"migrations: there is no revision {min(unknown)!r}; `base` and `head` are the ends")
    return scripts[places[start] : places[end]]


_BY_HAND = """\
-- `xnovu db upgrade` runs this SQL; it also takes turns with other processes, and repeats a transaction that does not get its
-- locks within lock_timeout. By hand: `psql --set ON_ERROR_STOP=1 --file`. After an error, make a script of the rest."""


def _lines(way: list[Script], connection: Connection | None) -> Iterator[str]:
    if not way:
        yield "-- Nothing is left to do."
        return
    yield f"-- The upgrade to {way[-1].revision}; revisions: {len(way)}."
    yield _BY_HAND
    yield f"{migrating.SETTINGS};"
    if way[0].down_revision is None:
        yield f"CREATE SCHEMA IF NOT EXISTS notify;{migrating.MAKE_VERSION_TABLE};"
    yield f"{migrating.ADD_COLUMN};"
    for revision in way:
        sql = _sql(revision)
        yield f"\n-- {revision.revision}: {revision.doc}"
        oldest = schema.compatible_from(revision.revision)
        yield f"-- Workers that may go on: those from {oldest or revision.revision} on."
        for lock in locks_of(sql):
            yield f"-- Lock: {lock.mode} on {lock.relation}: {lock.waits}."
            if connection is not None and (holders := _holders(connection, lock)):
                yield f"--   Now it would wait for {holders}."
        yield sql


def _holders(connection: Connection, lock: Lock) -> str | None:
    values = {"relation": lock.relation, "modes": _CONFLICTS[lock.mode], "is_build": lock.is_build}
    return migrating.describe(connection, connection.scalar(_HOLDERS, values))


def _sql(revision: Script) -> str:
    """Return the statements of a revision, with its transactions and its line in the bookkeeping."""
    buffer = StringIO()
    options = {"as_sql": True, "output_buffer": buffer, "script": schema.scripts()}
    context = MigrationContext.configure(dialect_name="postgresql", opts=options)
    context.impl.connection = _Writer(context)  # type: ignore[assignment] # it has what revisions call
    with Operations.context(context):
        context.impl.emit_begin()
        revision.module.upgrade()
        context.impl.static_output(_book(revision))
        context.impl.emit_commit()
    return buffer.getvalue()


def _book(revision: Script) -> str:
    if revision.down_revision is None:
        return f"INSERT INTO notify.alembic_version (version_num) VALUES ('{revision.revision}');"  # noqa: S608 - our own name
    compatible_from = schema.compatible_from(revision.revision)
    return (
        f"UPDATE notify.alembic_version SET version_num = '{revision.revision}',"  # noqa: S608 - our own names
        f" compatible_from = {repr(compatible_from) if compatible_from else 'NULL'}"
        f" WHERE version_num = '{revision.down_revision}';"
    )


class _Writer:
    """Stands for a connection: it writes each statement, and finds no rows."""

    def __init__(self, context: MigrationContext) -> None:
        self._context = context

    def exec_driver_sql(self, sql: str, **_: Any) -> None:  # noqa: ANN401 - options of a connection
        """Write a statement."""
        self._context.impl.static_output(sql.strip())

    def scalars(self, *_: Any) -> Self:  # noqa: ANN401 - a statement and its values
        """Find no index half built."""
        return self

    def all(self) -> Iterable[str]:
        """Return nothing."""
        return ()
