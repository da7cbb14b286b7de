"""Statements on the connections of others: psycopg's, SQLAlchemy's and Django's; none of them is imported before its user has it."""

import re
from collections.abc import Mapping
from typing import Any

from xnovu_poller.client.errors import TransactionMissing, of_database

_IDLE = 0
"""No transaction is open. Source: libpq, `PQtransactionStatus`."""


def execute(connection: Any, statement: str, values: Mapping[str, str]) -> list[Any]:  # noqa: ANN401 - of three libraries
    """Return the first column of a statement, whose parameters are written `:name`.

    Raises:
        ClientError: PostgreSQL refuses a value, or the connection has no transaction.
        TypeError: it is no connection of these libraries, or an async connection.
    """
    try:
        match _library(connection):
            case "psycopg":
                return _by_psycopg(connection, statement, values)
            case "sqlalchemy":
                return _by_sqlalchemy(connection, statement, values)
            case _:
                return _by_django(connection, statement, values)
    except Exception as error:
        if (ours := of_database(error)) is None:
            raise
        raise ours from error


async def execute_async(connection: Any, statement: str, values: Mapping[str, str]) -> list[Any]:  # noqa: ANN401 - of two libraries
    """Do the same as `execute` with an async connection.

    Raises:
        ClientError: as `execute`.
        TypeError: it is no async connection of psycopg or SQLAlchemy.
    """
    try:
        if _library(connection) == "psycopg":
            return await _by_psycopg_async(connection, statement, values)
        return await _by_sqlalchemy_async(connection, statement, values)
    except Exception as error:
        if (ours := of_database(error)) is None:
            raise
        raise ours from error


def _library(connection: object) -> str:
    """Return the library whose class a connection has, also behind classes of your own."""
    known = {kind.__module__.partition(".")[0] for kind in type(connection).__mro__} & {
        "psycopg",
        "sqlalchemy",
        "django",
    }
    return next(iter(known), "")


def _by_psycopg(connection: Any, statement: str, values: Mapping[str, str]) -> list[Any]:  # noqa: ANN401
    import psycopg.rows  # noqa: PLC0415 - its user has it

    _require(isinstance(connection, psycopg.Connection), connection)
    _require_transaction(connection)
    with connection.cursor(row_factory=psycopg.rows.scalar_row) as cursor:
        return list(cursor.execute(_by_percent(statement), values))


async def _by_psycopg_async(connection: Any, statement: str, values: Mapping[str, str]) -> list[Any]:  # noqa: ANN401
    import psycopg.rows  # noqa: PLC0415 - its user has it

    _require(isinstance(connection, psycopg.AsyncConnection), connection)
    _require_transaction(connection)
    async with connection.cursor(row_factory=psycopg.rows.scalar_row) as cursor:
        return list(await (await cursor.execute(_by_percent(statement), values)).fetchall())


def _by_sqlalchemy(connection: Any, statement: str, values: Mapping[str, str]) -> list[Any]:  # noqa: ANN401
    import sqlalchemy.orm  # noqa: PLC0415 - its user has it

    if isinstance(connection, sqlalchemy.orm.Session | sqlalchemy.orm.scoped_session):
        connection = connection.connection()
    _require(isinstance(connection, sqlalchemy.Connection), connection)
    _require_transaction(connection.connection.driver_connection)
    return list(connection.execute(sqlalchemy.text(statement), values).scalars())


async def _by_sqlalchemy_async(connection: Any, statement: str, values: Mapping[str, str]) -> list[Any]:  # noqa: ANN401
    import sqlalchemy.ext.asyncio  # noqa: PLC0415 - its user has it

    if isinstance(
        connection, sqlalchemy.ext.asyncio.AsyncSession | sqlalchemy.ext.asyncio.async_scoped_session
    ):
        connection = await connection.connection()
    _require(isinstance(connection, sqlalchemy.ext.asyncio.AsyncConnection), connection)
    _require_transaction(connection.sync_connection.connection.driver_connection)
    return list((await connection.execute(sqlalchemy.text(statement), values)).scalars())


def _by_django(connection: Any, statement: str, values: Mapping[str, str]) -> list[Any]:  # noqa: ANN401
    _require(_library(connection) == "django" and hasattr(connection, "get_autocommit"), connection)
    if connection.get_autocommit():
        raise TransactionMissing
    with connection.cursor() as cursor:
        cursor.execute(_by_percent(statement), values)
        return [row[0] for row in cursor.fetchall()]


def _by_percent(statement: str) -> str:
    """Return the statement with its parameters as drivers write them: `%(name)s`."""
    return re.sub(r"(?<!:):(\w+)", r"%(\1)s", statement)


def _require(fits: bool, connection: object) -> None:  # noqa: FBT001 - read at once
    if not fits:
        kind = f"{type(connection).__module__}.{type(connection).__qualname__}"
        raise TypeError(
            f"connection: {kind} does not fit here; enqueue takes a connection of psycopg or Django, or a connection or"
            " session of SQLAlchemy, and enqueue_async their async forms"
        )


def _require_transaction(driver: Any) -> None:  # noqa: ANN401 - of psycopg or psycopg2
    """Refuse a connection that would commit the notification by itself, apart from the caller's own work."""
    _require(hasattr(driver, "autocommit"), driver)
    if driver.autocommit and driver.info.transaction_status == _IDLE:
        raise TransactionMissing
