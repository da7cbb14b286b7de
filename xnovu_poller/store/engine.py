"""The pool of connections to PostgreSQL, and its errors in our words."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import event, exc
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from xnovu_poller.errors import StoreUnavailable

ROLE = "xnovu_worker"

Engine = AsyncEngine
"""The pool, under the name by which the other rooms ask for it."""

_REFUSED = re.compile(r"(?:port \d+|socket \"[^\"\n]*\") failed: (?:FATAL: +)?([^\n]+)")


class Unreadable(dict[str, Any]):
    """JSON that PostgreSQL keeps and Python will not read: nested too deep, or a number too long.

    An exception while a row is fetched would take the whole batch along, and other tenants with it.
    """


# An age bound lets a worker leave a writer that a failover made read-only.
_MAX_AGE_SECONDS = 1800
_STATEMENT_TIMEOUT_MS = 60_000
SILENCE_SECONDS = _STATEMENT_TIMEOUT_MS / 1000 + 5
"""A server that has not even ended a statement by then is mute, though its machine may acknowledge what we send."""

_PROVED = "proved_at"
PROOF_SECONDS = 1.0
"""A proof holds so long: to ask before each statement doubles the round trips."""

# Row-level security keeps the planner from the statistics of a state (`enum_eq` is not leakproof): it takes
# a quarter of the table for due, scans it, and compiles the statement beforehand. Every statement of ours
# goes by an index. Source: PostgreSQL, "Row Security Policies", and pg_proc.proleakproof.
_PLANNER = "-c enable_seqscan=off -c enable_bitmapscan=off -c plan_cache_mode=force_generic_plan -c jit=off"


def worker_options(given: str = "") -> str:
    """Give the session options under which the worker connects, after those of the URL.

    The role is taken at connect and not by SET inside a transaction, which a rollback undoes; so
    row-level security holds even where the login is a superuser.
    """
    return f"{given} -c role={ROLE} -c statement_timeout={_STATEMENT_TIMEOUT_MS} {_PLANNER}".strip()


def connect(url: str, *, part: str, size: int = 10) -> Engine:
    """Make the pool of the worker; nothing is connected yet.

    Every arrow is one statement, so connections run in autocommit: one round trip a statement, and
    no transaction is ever open across a call to Temporal or Novu.

    Args:
        url: `postgresql+psycopg://…`.
        part: who connects, shown as `application_name`.
        size: most connections.
    """
    target = make_url(url)
    engine = create_async_engine(
        target,
        isolation_level="AUTOCOMMIT",
        pool_size=size,
        max_overflow=0,
        # The one last used: it knows our statements already, and has just been proved.
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
    """Lend a connection.

    Args:
        engine: the pool.
        bounded: a mute server is given up; otherwise it takes whatever it takes.

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
        raise StoreUnavailable("it is mute") from error


def reason(error: BaseException | None) -> str:
    """Say why a connection was refused, in the server's or the system's words; of anything else the kind alone.

    Other sentences of a driver may quote the address or a row.
    """
    refused = _REFUSED.search(str(error))
    return refused[1] if refused else type(error).__name__


def _read_json(text: str | bytes) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return Unreadable()


def _given_options(url: URL) -> str:
    given = url.query.get("options", "")
    return given if isinstance(given, str) else " ".join(given)


def _check_role(connection: DBAPIConnection, entry: ConnectionPoolEntry, _proxy: object) -> None:
    """Prove that the connection lives and still has the worker's role; else the pool makes another.

    Raises:
        StoreUnavailable: a new one is no better, so that asking for others would not help.
    """
    if time.monotonic() - entry.info.get(_PROVED, -PROOF_SECONDS) < PROOF_SECONDS:
        return
    cursor = connection.cursor()
    try:
        cursor.execute("SELECT current_user")
        row = cursor.fetchone()
    except Exception as error:
        # The driver's errors differ by how the connection broke; each means: take another.
        raise _unfit(entry, "a new connection broke at once") from error
    finally:
        cursor.close()
    if row is None or row[0] != ROLE:
        raise _unfit(entry, f"a new connection lacks the role {ROLE}: does a pooler drop its options?")
    entry.info[_PROVED] = time.monotonic()


def _unfit(entry: ConnectionPoolEntry, reason: str) -> Exception:
    return exc.DisconnectionError() if _PROVED in entry.info else StoreUnavailable(reason)
