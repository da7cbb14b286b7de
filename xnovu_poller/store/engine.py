"""The pool of connections to PostgreSQL, and its errors in our words."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import event, exc
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from xnovu_poller.errors import StoreUnavailable

ROLE = "xnovu_worker"

Engine = AsyncEngine
"""The pool, under the name by which the other rooms ask for it."""

# An age bound lets a worker leave a writer that a failover made read-only.
_MAX_AGE_SECONDS = 1800
_STATEMENT_TIMEOUT_MS = 60_000


def worker_options(given: str = "") -> str:
    """Give the session options under which the worker connects, after those of the URL.

    The role is taken at connect and not by SET inside a transaction, which a rollback undoes; so
    row-level security holds even where the login is a superuser.
    """
    return f"{given} -c role={ROLE} -c statement_timeout={_STATEMENT_TIMEOUT_MS}".strip()


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
        pool_timeout=10,
        pool_recycle=_MAX_AGE_SECONDS,
        hide_parameters=True,
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
    event.listen(engine.sync_engine, "checkout", _ask_role)
    return engine


@asynccontextmanager
async def reach(engine: Engine) -> AsyncIterator[AsyncConnection]:
    """Lend a connection.

    Raises:
        StoreUnavailable: PostgreSQL does not answer, is in recovery, or the pool is exhausted.
    """
    try:
        async with engine.connect() as connection:
            yield connection
    except (exc.OperationalError, exc.InterfaceError, exc.InternalError) as error:
        raise StoreUnavailable(type(error.orig).__name__) from error
    except exc.TimeoutError as error:
        raise StoreUnavailable("no connection of the pool is free") from error


def _given_options(url: URL) -> str:
    given = url.query.get("options", "")
    return given if isinstance(given, str) else " ".join(given)


def _ask_role(connection: DBAPIConnection, _entry: ConnectionPoolEntry, _proxy: object) -> None:
    """Prove that the connection lives and still has the worker's role; else the pool makes another."""
    cursor = connection.cursor()
    try:
        cursor.execute("SELECT current_user")
        row = cursor.fetchone()
    except Exception as error:
        # The driver's errors differ by how the connection broke; each means: take another.
        raise exc.DisconnectionError from error
    finally:
        cursor.close()
    if row is None or row[0] != ROLE:
        raise exc.DisconnectionError
