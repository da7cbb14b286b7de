"""Open a session of PostgreSQL that depends on nothing set for the role, the database or the environment."""

import re
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg.rows import namedtuple_row

from xnovu_poller.errors import ConfigError, SchemaUnfit, StoreLocked, StoreUnavailable
from xnovu_poller.incidents import name_process
from xnovu_poller.settings.address import Address

ROLE: Final = "xnovu_worker"
READER: Final = "xnovu_reader"

STATEMENT_SECONDS: Final = 60
"""PostgreSQL ends a statement of the worker after this long."""

_LOCK_TIMEOUT = "250ms"
"""A statement waits no longer for a lock: its holder must not hold a connection of the pool too. It is tried again."""

_CONNECTING = {
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
}
"""Notice soon that a server is gone; the parameters of the address override these."""

_READING = {
    # First, before any other function is looked up: a database may let everybody create functions in `public`.
    "search_path": "pg_catalog, notify, pg_temp",
    "client_encoding": "UTF8",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "standard_conforming_strings": "on",
    "array_nulls": "on",
    "transform_null_equals": "off",
    "quote_all_identifiers": "off",
    "row_security": "on",
    "default_transaction_isolation": "read committed",
    "default_transaction_deferrable": "off",
    "idle_session_timeout": "0",
    "transaction_timeout": "0",
}
"""What the meaning of our statements and the driver's reading of their rows depend on.

`default_transaction_read_only` is not among them: an administrator who sets it wants us to stop.
"""

_WORKING = {
    "statement_timeout": f"{STATEMENT_SECONDS}s",
    "lock_timeout": _LOCK_TIMEOUT,
    "idle_in_transaction_session_timeout": "60s",
    # Under row-level security the planner may not use the statistics of the states, because `enum_eq` is not leakproof.
    # So it would assume that a quarter of the table is due, and scan the table. All our statements can use an index.
    # Source: PostgreSQL, "Row Security Policies", and pg_proc.proleakproof.
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
}
"""What the worker sets too. A rollback does not undo it, because no transaction is open when it is set."""

_MIGRATING = {
    # A role's time limits would end a migration in the middle. The migrations qualify all names.
    "search_path": "pg_catalog, pg_temp",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
}


def _pin(settings: dict[str, str]) -> bytes:
    """Return the statement that sets all settings that this version of PostgreSQL has, in one round trip.

    It is a statement and no startup option, because poolers refuse or drop those.
    """
    pinned = ", ".join(f"('{name}', '{value}')" for name, value in settings.items())
    return f"""
        SELECT pg_catalog.set_config(name, value, false) FROM (VALUES {pinned}) AS pinned (name, value)
        WHERE pg_catalog.current_setting(name, true) IS NOT NULL""".encode()  # noqa: S608 - built of constants


@dataclass(frozen=True, slots=True)
class Kind:
    """As whom a session works, and within which bounds.

    Attributes:
        role: the group role that it takes.
        pinned: the statement that gives a session its role and its settings.
        writes: whether a server that only reads cannot serve it.
    """

    role: str
    pinned: bytes
    writes: bool = True


WORKER: Final = Kind(ROLE, _pin(_READING | {"role": ROLE} | _WORKING))

READER_SECONDS: Final = 5
"""PostgreSQL ends a statement of the operator's page after this long."""

PAGE: Final = Kind(
    READER,
    _pin(
        _READING
        | {"role": READER}
        | _WORKING
        | {"statement_timeout": f"{READER_SECONDS}s", "default_transaction_read_only": "on"}
    ),
    writes=False,
)
"""The operator's page: it sees all enterprises, and writes nothing."""

API_SECONDS: Final = 10
"""PostgreSQL ends a statement of the API after this long."""

API: Final = Kind(
    "xnovu_api",
    _pin(
        _READING
        | {"role": "xnovu_api"}
        | _WORKING
        # Nobody tries a request again by itself, so it waits longer for a lock.
        | {"statement_timeout": f"{API_SECONDS}s", "lock_timeout": "2s"}
    ),
)
"""The API: in each transaction it acts for one enterprise."""

_NAME = b"SELECT pg_catalog.set_config('xnovu.process', %s, false)"
"""The trigger that appends incidents reads who changed the row."""

_PINNED_FOR_MIGRATIONS = _pin(_READING | _MIGRATING)

_MOST_OF_A_SENTENCE = 200


async def open_session(address: Address, part: str, kind: Kind = WORKER) -> psycopg.AsyncConnection[Any]:
    """Open a session in autocommit.

    Args:
        part: the part of the program that connects; PostgreSQL shows it as `application_name`.
        kind: as whom it works.

    Raises:
        psycopg.Error: PostgreSQL does not answer, or refuses.
        SchemaUnfit: the database is not UTF-8.
        StoreUnavailable: the login may not take the role, or the role does not exist.
    """
    connection = await psycopg.AsyncConnection.connect(**_parameters(address, part), autocommit=True)
    try:
        _refuse_encoding(connection)
        await connection.execute(kind.pinned)
        await connection.execute(_NAME, [name_process()])
    except BaseException as error:
        await connection.close()
        # Only the role can be refused; the server's sentence explains why.
        if isinstance(error, psycopg.errors.InsufficientPrivilege | psycopg.errors.InvalidParameterValue):
            raise unavailable(error) from error
        raise
    return connection


async def open_bare_session(address: Address) -> psycopg.AsyncConnection[Any]:
    """Open a session of the login itself, without the worker's role.

    Raises:
        psycopg.Error: PostgreSQL does not answer, or refuses.
        SchemaUnfit: the database is not UTF-8.
    """
    connection = await psycopg.AsyncConnection.connect(
        **_parameters(address, "check"), autocommit=True, row_factory=namedtuple_row
    )
    try:
        _refuse_encoding(connection)
    except BaseException:
        await connection.close()
        raise
    return connection


READS_ONLY = "it only reads: a standby, or is its disk full?"


_BACKEND = b"SELECT (pg_catalog.pg_backend_pid(), pg_catalog.pg_postmaster_start_time())::text"


_SHARED = (
    "DATABASE_URL: its pooler lends a session for one transaction only; use the pooler's session mode (on Supabase: port"
    " 5432) or the server's own address"
)


async def refuse_shared(session: psycopg.AsyncConnection[Any], address: Address) -> None:
    """Refuse a pooler that lends a server's session for one transaction only: our settings would reach others.

    While a session is idle, such a pooler lends its backend to the next session, or takes a different backend afterwards.

    Raises:
        ConfigError: the pooler does.
    """
    async with await open_bare_session(address) as other:
        sessions = (session, other, session)
        _compare_backends([await (await each.execute(_BACKEND)).fetchone() for each in sessions])


def _compare_backends(backends: list[Any]) -> None:
    first, other, again = backends
    if first == other or first != again:
        raise ConfigError([_SHARED])


def open_session_for_migrations(address: Address) -> psycopg.Connection[Any]:
    """Open a session of the login itself, which owns the schema or will.

    Raises:
        ConfigError: a pooler lends a server's session for one transaction only.
        psycopg.Error: PostgreSQL does not answer, or refuses.
        SchemaUnfit: the database is not UTF-8.
    """
    parameters = _parameters(address, "migrations")
    connection = psycopg.connect(**parameters, autocommit=True)
    try:
        _refuse_encoding(connection)
        with psycopg.connect(**parameters, autocommit=True) as other:
            sessions = (connection, other, connection)
            _compare_backends([each.execute(_BACKEND).fetchone() for each in sessions])
        connection.execute(_PINNED_FOR_MIGRATIONS)
    except BaseException:
        connection.close()
        raise
    connection.autocommit = False
    return connection


def _parameters(address: Address, part: str) -> dict[str, Any]:
    """Return what to connect with; `options` is set, if only to nothing, so that PGOPTIONS does not count."""
    ours = {"application_name": f"xnovu:{part}", "client_encoding": "UTF8"}
    return {"options": "", **_CONNECTING, **address, **ours}


def _refuse_encoding(connection: psycopg.BaseConnection[Any]) -> None:
    """Refuse a database that cannot hold every text, or does not know what its bytes mean.

    Raises:
        SchemaUnfit: the database is not UTF-8.
    """
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise SchemaUnfit(
            f"its encoding is {encoding}; create a database with `CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0`"
            " and move to it"
        )


_CONNECT_REFUSED = re.compile(r"(?:port \d+|socket \"[^\"\n]*\") failed: (FATAL: +)?([^\n]+)")


def unavailable(error: BaseException | None) -> StoreUnavailable:
    """Return the error for a statement or a connect that failed, in the words of the server or the system.

    Of other errors it has only the type, because the driver's own messages may quote the address or a row.
    """
    if isinstance(error, psycopg.errors.LockNotAvailable):
        return StoreLocked()
    if isinstance(error, psycopg.Error) and error.diag.message_primary:
        return StoreUnavailable(error.diag.message_primary[:_MOST_OF_A_SENTENCE], answered=True)
    # One line for each host of the address.
    refused = _CONNECT_REFUSED.findall(str(error))
    if not refused:
        return StoreUnavailable(type(error).__name__)
    reasons = dict.fromkeys(reason[:_MOST_OF_A_SENTENCE] for _, reason in refused)
    return StoreUnavailable("; ".join(reasons), answered=any(fatal for fatal, _ in refused))
