"""Connect to PostgreSQL: the pool, and its errors as ours."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, cast

import psycopg
import sqlalchemy
from psycopg.rows import namedtuple_row
from psycopg.types.json import set_json_loads
from sqlalchemy import TextClause, event, exc
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import URL, ExceptionContext
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, NullPool, QueuePool

from xnovu_poller.errors import StoreUnavailable
from xnovu_poller.settings.address import Address, read_address
from xnovu_poller.store.session import (
    READS_ONLY,
    STATEMENT_SECONDS,
    WORKER,
    Kind,
    open_session,
    open_session_for_migrations,
    unavailable,
)

Engine = AsyncEngine
"""The pool. Other rooms use this name, so that only `store/` imports SQLAlchemy."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """A pool of the API, acting for an enterprise: each of its transactions names the enterprise."""

    engine: Engine
    enterprise_id: str


Driver = psycopg.AsyncConnection[Any]


class Unreadable(dict[str, Any]):
    """Stands for JSON that PostgreSQL accepts and Python cannot read: nested too deep, or a number too long.

    An exception while a row is read would fail the whole batch, and with it other tenants.
    """


# Close connections at this age, so that a worker leaves a server that a failover has made read-only.
_MAX_AGE_SECONDS = 1800
SILENCE_SECONDS = STATEMENT_SECONDS + 5.0
"""A server that has not ended a statement by then counts as down, even if its machine acknowledges our packets."""

CHECK_SECONDS = 10.0
"""Do not check a connection again for this long: a check before each statement would double the round trips, and every second
it was a quarter of the statements of an idle worker."""

_CHECKED, _BACKEND = "checked_at", "backend"
_DRIVER = "postgresql+psycopg"


CONNECTIONS = 10
"""The connections of a pool."""

ASIDE_CONNECTIONS = 3
"""A worker's connections for rules and chores only: if they wait for a lock, they hold no connection of the deliveries."""


def connect(
    url: str, *, part: str, size: int = CONNECTIONS, kind: Kind = WORKER, patience: float = 10
) -> Engine:
    """Return a pool; it does not connect yet.

    Every arrow is a single statement, so connections run in autocommit: a statement takes one round trip, and no
    transaction is ever open during a call to Temporal or Novu.

    Args:
        url: `postgresql://…`.
        part: the part of the program that connects; PostgreSQL shows it as `application_name`.
        size: the maximum number of connections.
        kind: as whom its sessions work.
        patience: how many seconds to wait for a free connection.
    """
    address = read_address(url)
    engine = create_async_engine(
        _engine_url(address),
        async_creator=lambda: _open(address, part, kind),
        isolation_level="AUTOCOMMIT",
        pool_size=size,
        max_overflow=0,
        # Take the connection that was used last: our statements are prepared there, and it was checked a moment ago.
        pool_use_lifo=True,
        pool_timeout=patience,
        pool_recycle=_MAX_AGE_SECONDS,
        hide_parameters=True,
    )
    event.listen(engine.sync_engine, "checkout", partial(_check, kind))
    event.listen(engine.sync_engine, "handle_error", _leave_server)
    return engine


async def _open(address: Address, part: str, kind: Kind) -> Driver:
    """Open a session in which no JSON can fail a statement; SQLAlchemy sets this only where it connects itself."""
    session = await open_session(address, part, kind)
    set_json_loads(_read_json, session)
    return session


def connect_for_migrations(url: str) -> sqlalchemy.Engine:
    """Return the connections of migrations, as the login itself; it does not connect yet."""
    address = read_address(url)
    return sqlalchemy.create_engine(
        _engine_url(address),
        creator=lambda: open_session_for_migrations(address),
        poolclass=NullPool,
        hide_parameters=True,
    )


def address_of(engine: Engine) -> Address:
    """Return the address that a pool connects to."""
    named = engine.url.translate_connect_args(username="user", database="dbname")
    return {
        **{name: str(value) for name, value in named.items()},
        **{k: str(v) for k, v in engine.url.query.items()},
    }


def _engine_url(address: Address) -> URL:
    """Return the address as SQLAlchemy shows it; only our sessions use it."""
    rest = {name: value for name, value in address.items() if name not in {"user", "password", "dbname"}}
    return URL.create(
        _DRIVER, address.get("user"), address.get("password"), database=address.get("dbname"), query=rest
    )


@asynccontextmanager
async def acquire(engine: Engine | Tenant, *, bounded: bool = True) -> AsyncIterator[AsyncConnection]:
    """Lend a connection of the pool; that of a tenant is in a transaction, which ends with the loan.

    Args:
        bounded: give up after `SILENCE_SECONDS`; otherwise wait as long as it takes.

    Raises:
        StoreUnavailable: PostgreSQL does not answer or only reads, or the pool is exhausted.
        StoreLocked: another session holds a lock that a statement needs.
    """
    try:
        pool = engine.engine if isinstance(engine, Tenant) else engine
        async with asyncio.timeout(SILENCE_SECONDS if bounded else None), pool.connect() as connection:
            if isinstance(engine, Tenant):
                lent = await connection.get_raw_connection()
                async with _acting(cast(Driver, lent.driver_connection), engine.enterprise_id):
                    yield connection
            else:
                yield connection
    except (exc.OperationalError, exc.InterfaceError, exc.InternalError) as error:
        raise unavailable(error.orig) from error
    except (psycopg.OperationalError, psycopg.InterfaceError, psycopg.InternalError) as error:
        raise unavailable(error) from error
    except exc.TimeoutError as error:
        raise StoreUnavailable("no connection of the pool is free") from error
    except TimeoutError as error:
        raise StoreUnavailable(f"no response within {SILENCE_SECONDS:g} s") from error


@asynccontextmanager
async def _acting(driver: Driver, enterprise_id: str) -> AsyncIterator[None]:
    """Run a transaction that acts for an enterprise."""
    async with driver.transaction():
        await driver.execute(_ACT, [enterprise_id])
        yield


_ACT = b"SELECT pg_catalog.set_config('app.current_enterprise_id', %s, true)"


def count_connections(engine: Engine) -> tuple[int, int]:
    """Return how many connections of the pool are in use, and how many may be."""
    pool = cast(QueuePool, engine.pool)
    return pool.checkedout(), pool.size()


async def query(engine: Engine | Tenant, statement: TextClause, values: Mapping[str, Any]) -> list[Any]:
    """Run a statement that every notification passes on the driver itself, and return its rows.

    It is prepared at once, and its results are binary: an enum comes as bytes, and so does JSON if the statement makes
    bytes of it. A list of parameters travels as the text of an array (`to_array`). Reasons and figures: ADR 26.

    Raises:
        StoreUnavailable: PostgreSQL does not answer or only reads, or the pool is exhausted.
        StoreLocked: another session holds a lock that the statement needs.
    """
    sql, names = _for_driver(statement)
    async with acquire(engine) as connection:
        lent = await connection.get_raw_connection()
        driver = cast(Driver, lent.driver_connection)
        cursor = psycopg.AsyncRawCursor(driver, row_factory=namedtuple_row)
        try:
            await cursor.execute(sql, [values[name] for name in names], prepare=True, binary=True)
            return await cursor.fetchall()
        except psycopg.Error as error:
            if driver.closed or (error.sqlstate or "").startswith(_WRONG_SERVER):
                # Replace all that are as old, as SQLAlchemy does it; a new pool would open connections beside the old.
                pool = (engine.engine if isinstance(engine, Tenant) else engine).pool
                pool._invalidate(lent, error, _checkin=False)  # noqa: SLF001 - SQLAlchemy has no public name for it
                await connection.invalidate(error)
            if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError | psycopg.InternalError):
                raise unavailable(error) from error
            raise
        except BaseException:
            # It was cancelled, and the server may still be at the statement.
            await connection.invalidate()
            raise


@cache
def _for_driver(statement: TextClause) -> tuple[str, list[str]]:
    """Return a statement as PostgreSQL itself takes it, and the names of its parameters in order."""
    compiled = statement.compile(dialect=_NUMBERED)
    return str(compiled), list(compiled.positiontup or ())


_NUMBERED = postgresql.dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call] # SQLAlchemy's dialects have no types


def to_array(values: Iterable[object]) -> str:
    """Return the text of an array of numbers, times or identifiers; the driver takes ten times as long for a list."""
    return "{" + ",".join(map(str, values)) + "}"


def _read_json(document: str | bytes) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(document)
    except (ValueError, RecursionError):
        return Unreadable()


_WRONG_SERVER = ("25006", "57P", "08")
"""SQLSTATEs, or their beginning: the server only reads, shuts down, or is gone."""


def _leave_server(context: ExceptionContext) -> None:
    """Replace all connections of the pool if one of them has met a server that cannot serve us."""
    state = getattr(context.original_exception, "sqlstate", None)
    if state is not None and state.startswith(_WRONG_SERVER):
        context.is_disconnect = True


_PROOF = """
    SELECT pg_catalog.pg_backend_pid(), current_user::pg_catalog.text,
        pg_catalog.current_setting('transaction_read_only')"""


def _check(kind: Kind, connection: DBAPIConnection, entry: ConnectionPoolEntry, _proxy: object) -> None:
    """Check that the connection works, still leads to its own session, has its role, and can write if it must.

    Raises:
        InvalidatePoolError: it does not, but it did before; the pool replaces all that are as old.
        StoreUnavailable: it does not, and is new, so a replacement would be no better.
    """
    if time.monotonic() - entry.info.get(_CHECKED, -CHECK_SECONDS) < CHECK_SECONDS:
        return
    cursor = connection.cursor()
    try:
        cursor.execute(_PROOF)
        backend, role, reads_only = cursor.fetchone() or (None, None, None)
    except Exception as error:
        # The driver's errors differ by how the connection broke, but each means that it is unusable.
        raise _unusable(entry, "a new connection broke at once") from error
    finally:
        cursor.close()
    if role != kind.role or backend != entry.info.setdefault(_BACKEND, backend):
        raise _unusable(entry, _NOT_OURS.format(kind.role))
    if kind.writes and reads_only != "off":
        raise _unusable(entry, READS_ONLY)
    entry.info[_CHECKED] = time.monotonic()


_NOT_OURS = "a session does not keep the role {}: connect directly, or through a pooler in session mode"


def _unusable(entry: ConnectionPoolEntry, reason: str) -> Exception:
    if _CHECKED in entry.info:
        return exc.InvalidatePoolError()
    entry.invalidate()
    return StoreUnavailable(reason, answered=True)
