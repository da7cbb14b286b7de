"""Check the server as the login itself: what it is, how many connections are free, and whether NOTIFY is heard."""

from typing import Any

import psycopg

from xnovu_poller.errors import ConfigError, StoreError
from xnovu_poller.settings.address import Address
from xnovu_poller.store.checks.finding import Finding
from xnovu_poller.store.engine import Engine, address_of
from xnovu_poller.store.session import ROLE, open_bare_session, refuse_shared, unavailable

_HEARD_SECONDS = 5.0
_OLDEST = 140_000

# Sessions of other logins are counted too: everybody sees their database and their login.
_FACTS = b"""
    SELECT pg_catalog.pg_is_in_recovery() AS is_standby, pg_catalog.quote_ident(session_user) AS login,
        pg_catalog.current_setting('transaction_read_only') = 'on' AS reads_only,
        pg_catalog.current_setting('server_version') AS version,
        pg_catalog.current_setting('server_version_num')::pg_catalog.int4 AS number,
        role.rolsuper AS is_superuser, pg_catalog.current_setting('max_connections') AS most,
        LEAST(
            pg_catalog.current_setting('max_connections')::pg_catalog.int4
                - pg_catalog.current_setting('superuser_reserved_connections')::pg_catalog.int4
                - COALESCE(pg_catalog.current_setting('reserved_connections', true), '0')::pg_catalog.int4 - used.by_all,
            NULLIF(role.rolconnlimit, -1) - used.by_login, NULLIF(base.datconnlimit, -1) - used.in_base) AS free
    FROM pg_catalog.pg_roles AS role, pg_catalog.pg_database AS base, (
        SELECT pg_catalog.count(*) AS by_all,
            pg_catalog.count(*) FILTER (WHERE usename = session_user) AS by_login,
            pg_catalog.count(*) FILTER (WHERE datname = pg_catalog.current_database()) AS in_base
        FROM pg_catalog.pg_stat_activity WHERE datid IS NOT NULL AND usesysid IS NOT NULL) AS used
    WHERE role.rolname = session_user AND base.datname = pg_catalog.current_database()"""


async def look_at_server(engine: Engine, needed: int) -> list[Finding]:
    """Check the server, from the version to NOTIFY; return the result of each check.

    Args:
        needed: the connections of another worker.

    Raises:
        SchemaUnfit: the database is not UTF-8.
        StoreUnavailable: PostgreSQL does not answer.
    """
    address = address_of(engine)
    try:
        async with await open_bare_session(address) as session:
            facts: Any = await (await session.execute(_FACTS)).fetchone()
            findings = [
                _judge_version(facts),
                _judge_primary(facts),
                _judge_login(facts),
                _judge_connections(facts, needed),
            ]
            if not facts.is_standby:
                findings.append(await _judge_listening(session, address))
    except psycopg.OperationalError as error:
        raise unavailable(error) from error
    return findings


def _judge_version(facts: Any) -> Finding:  # noqa: ANN401 - a row
    expected = "PostgreSQL is at version 14 or newer"
    if facts.number >= _OLDEST:
        return Finding("server_old", expected, f"version {facts.version}")
    return Finding("server_old", expected, f"server: has version {facts.version}", "upgrade the server")


def _judge_primary(facts: Any) -> Finding:  # noqa: ANN401 - a row
    expected = "the address leads to a primary, which accepts writes"
    if facts.is_standby:
        actual = "server: is a standby, as behind the reader endpoint of a cluster"
        return Finding("server_reads_only", expected, actual, "write the primary's address in DATABASE_URL")
    if facts.reads_only:
        actual = "server: default_transaction_read_only is on for the server, this database or this login"
        mend = "find it by \\drds in psql, then run: ALTER DATABASE … RESET default_transaction_read_only"
        return Finding("server_reads_only", expected, actual, mend)
    return Finding("server_reads_only", expected)


def _judge_login(facts: Any) -> Finding:  # noqa: ANN401 - a row
    expected = "the login is no superuser"
    if not facts.is_superuser:
        return Finding("login_superuser", expected)
    return Finding(
        "login_superuser",
        expected,
        f"login {facts.login}: is a superuser, to whom no right and no policy applies",
        f"run: CREATE ROLE xnovu LOGIN PASSWORD '…' IN ROLE {ROLE}, and use that login in DATABASE_URL",
    )


def _judge_connections(facts: Any, needed: int) -> Finding:  # noqa: ANN401 - a row
    expected = f"{needed} connections are free, as another worker needs them"
    if facts.free >= needed:
        return Finding("connections_few", expected, f"{facts.free} are free")
    return Finding(
        "connections_few",
        expected,
        f"connections: {max(facts.free, 0)} are free (max_connections is {facts.most})",
        "end sessions that nobody needs, or raise max_connections, or the CONNECTION LIMIT of login or database",
    )


async def _judge_listening(session: psycopg.AsyncConnection[Any], address: Address) -> Finding:
    """Listen in one session and notify in another; no worker listens to the channel."""
    code, expected = "listen_deaf", "a session keeps its settings and hears NOTIFY"
    try:
        await refuse_shared(session, address)
    except (ConfigError, StoreError) as error:
        return Finding(
            code, expected, str(error), "write the address of the server, or the pooler's session mode"
        )
    await session.execute(b"LISTEN xnovu_doctor")
    async with await open_bare_session(address) as other:
        await other.execute(b"SELECT pg_catalog.pg_notify('xnovu_doctor', '')")
    if [notice async for notice in session.notifies(timeout=_HEARD_SECONDS, stop_after=1)]:
        return Finding(code, expected)
    actual = f"NOTIFY: was not heard within {_HEARD_SECONDS:g} s, so rows wait for the poll"
    return Finding(code, expected, actual, "connect to the server itself, or to the pooler's session mode")
