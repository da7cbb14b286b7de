"""Connect to PostgreSQL: the pool, its session options, and its errors as ours."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import event, exc, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from xnovu_poller.errors import StoreUnavailable

ROLE = "xnovu_worker"

Engine = AsyncEngine
"""The pool. Other rooms use this name, so that only `store/` imports SQLAlchemy."""

_REFUSED = re.compile(r"(?:port \d+|socket \"[^\"\n]*\") failed: (?:FATAL: +)?([^\n]+)")


class Unreadable(dict[str, Any]):
    """Stands for JSON that PostgreSQL accepts and Python cannot read: nested too deep, or a number too long.

    An exception while a row is read would fail the whole batch, and with it other tenants.
    """


# Close connections at this age, so that a worker leaves a server that a failover has made read-only.
_MAX_AGE_SECONDS = 1800
_STATEMENT_TIMEOUT_MS = 60_000
SILENCE_SECONDS = _STATEMENT_TIMEOUT_MS / 1000 + 5
"""A server that has not ended a statement by then counts as down, even if its machine acknowledges our packets."""

_CHECKED = "checked_at"
CHECK_SECONDS = 1.0
"""Do not check a connection again for this long: a check before each statement would double the round trips."""

# Under row-level security the planner may not use the statistics of the states, because `enum_eq` is not leakproof. So
# it would assume that a quarter of the table is due, and scan the table. All our statements can use an index.
# Source: PostgreSQL, "Row Security Policies", and pg_proc.proleakproof.
_PLANNER = "-c enable_seqscan=off -c enable_bitmapscan=off -c plan_cache_mode=force_generic_plan -c jit=off"


def worker_options(given: str = "") -> str:
    """Return the session options of the worker, after the URL's own.

    They set the role when the session starts: a rollback would undo a SET inside a transaction. So
    row-level security applies even if the login is a superuser.
    """
    return f"{given} -c role={ROLE} -c statement_timeout={_STATEMENT_TIMEOUT_MS} {_PLANNER}".strip()


def connect(url: str, *, part: str, size: int = 10) -> Engine:
    """Return the worker's pool; it does not connect yet.

    Every arrow is a single statement, so connections run in autocommit: a statement takes one round trip, and no
    transaction is ever open during a call to Temporal or Novu.

    Args:
        url: `postgresql+psycopg://…`.
        part: the part of the program that connects; PostgreSQL shows it as `application_name`.
        size: the maximum number of connections.
    """
    target = make_url(url)
    engine = create_async_engine(
        target,
        isolation_level="AUTOCOMMIT",
        pool_size=size,
        max_overflow=0,
        # Take the connection that was used last: our statements are prepared there, and it was checked a moment ago.
        pool_use_lifo=True,
        pool_timeout=10,
        pool_recycle=_MAX_AGE_SECONDS,
        hide_parameters=True,
        json_deserializer=_read_json,
        connect_args={
            "application_name": f"xnovu:{part}",
            "options": worker_options(_given_options(target)),
            "connect_timeout": 5,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 20_000,
        },
    )
    event.listen(engine.sync_engine, "checkout", _check_role)
    return engine


@asynccontextmanager
async def acquire(engine: Engine, *, bounded: bool = True) -> AsyncIterator[AsyncConnection]:
    """Lend a connection of the pool.

    Args:
        bounded: give up after `SILENCE_SECONDS`; otherwise wait as long as it takes.

    Raises:
        StoreUnavailable: PostgreSQL does not answer, is in recovery, or the pool is exhausted.
    """
    try:
        async with asyncio.timeout(SILENCE_SECONDS if bounded else None), engine.connect() as connection:
            yield connection
    except (exc.OperationalError, exc.InterfaceError, exc.InternalError) as error:
        raise StoreUnavailable(reason(error.orig)) from error
    except exc.TimeoutError as error:
        raise StoreUnavailable("no connection of the pool is free") from error
    except TimeoutError as error:
        raise StoreUnavailable(f"no response within {SILENCE_SECONDS:g} s") from error


_IS_READ_ONLY = text("SELECT current_setting('transaction_read_only')::bool")


async def is_read_only(engine: Engine) -> bool:
    """Return whether PostgreSQL refuses to write because it is a standby or set to read-only.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        return bool(await connection.scalar(_IS_READ_ONLY))


def reason(error: BaseException | None) -> str:
    """Return why a connection was refused, in the words of the server or the system; for other errors, only the type.

    The driver's other messages may quote the address or a row.
    """
    refused = _REFUSED.search(str(error))
    return refused[1] if refused else type(error).__name__


def _read_json(document: str | bytes) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(document)
    except (ValueError, RecursionError):
        return Unreadable()


def _given_options(url: URL) -> str:
    given = url.query.get("options", "")
    return given if isinstance(given, str) else " ".join(given)


def _check_role(connection: DBAPIConnection, entry: ConnectionPoolEntry, _proxy: object) -> None:
    """Check that the connection works and has the worker's role.

    Raises:
        DisconnectionError: it does not, but it did before; the pool replaces it.
        StoreUnavailable: it does not, and is new, so a replacement would be no better.
    """
    if time.monotonic() - entry.info.get(_CHECKED, -CHECK_SECONDS) < CHECK_SECONDS:
        return
    cursor = connection.cursor()
    try:
        cursor.execute("SELECT current_user")
        row = cursor.fetchone()
    except Exception as error:
        # The driver's errors differ by how the connection broke, but each means that it is unusable.
        raise _unusable(entry, "a new connection broke at once") from error
    finally:
        cursor.close()
    if row is None or row[0] != ROLE:
        raise _unusable(entry, f"a new connection lacks the role {ROLE}: does a pooler drop its options?")
    entry.info[_CHECKED] = time.monotonic()


def _unusable(entry: ConnectionPoolEntry, reason: str) -> Exception:
    return exc.DisconnectionError() if _CHECKED in entry.info else StoreUnavailable(reason)
