"""Look at a database from outside, as the login itself: whether the worker can work in it, and if not, why."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from sqlalchemy import text

from xnovu_poller.errors import SchemaUnfit, StoreError
from xnovu_poller.models import Base
from xnovu_poller.store.engine import Engine, acquire, address_of
from xnovu_poller.store.session import ROLE, open_bare_session, refuse_shared, unavailable

# Every login may read the catalogs, even if it may not use the schema.
_FACTS = b"""
    SELECT pg_catalog.quote_ident(session_user) AS login, worker.oid IS NOT NULL AS has_role,
        coalesce(pg_catalog.pg_has_role(session_user, worker.oid, 'MEMBER'), false) AS is_member,
        (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = session_user) AS is_superuser,
        (SELECT pg_catalog.count(*) FROM pg_catalog.pg_class
            WHERE relnamespace = notify.oid AND relkind IN ('r', 'p', 'v', 'm', 'f')) AS relations,
        migrated.oid IS NOT NULL AS is_migrated,
        coalesce(pg_catalog.has_schema_privilege(worker.oid, notify.oid, 'USAGE')
            AND pg_catalog.has_table_privilege(worker.oid, migrated.oid, 'SELECT'), false) AS is_granted
    FROM (VALUES (1)) AS one
    LEFT JOIN pg_catalog.pg_roles worker ON worker.rolname = %(role)s
    LEFT JOIN pg_catalog.pg_namespace notify ON notify.nspname = 'notify'
    LEFT JOIN pg_catalog.pg_class migrated
        ON migrated.relnamespace = notify.oid AND migrated.relname = 'alembic_version' """

UNREACHABLE = """
    SELECT format('table notify.%s: %s, so %s %s; restore the dump again into an empty database,'
        ' after its roles were created', c.relname,
        CASE WHEN readable THEN 'row-level security has no policy for ' || worker.rolname
            ELSE worker.rolname || ' has no right to it' END,
        'the worker', CASE WHEN readable THEN 'sees none of its rows' ELSE 'cannot use it' END)
    FROM pg_class c JOIN pg_roles worker ON worker.rolname = current_user,
        LATERAL (SELECT has_any_column_privilege(worker.oid, c.oid, 'SELECT')) AS granted (readable)
    WHERE c.relnamespace = to_regnamespace('notify') AND c.relname = ANY (CAST(:tables AS text[]))
        AND NOT (readable AND (NOT c.relrowsecurity OR EXISTS (
            SELECT FROM pg_policy p
            WHERE p.polrelid = c.oid AND p.polcmd IN ('*', 'r') AND p.polroles && ARRAY[0::oid, worker.oid])))
    ORDER BY c.relname"""
"""Sentences about the tables that the worker cannot reach: a dump without its roles has neither grants nor policies."""

TABLES = sorted(table.name for table in Base.metadata.tables.values())


@asynccontextmanager
async def _bare(engine: Engine) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """Lend a session of the login itself.

    Raises:
        SchemaUnfit: the database is not UTF-8.
        StoreUnavailable: PostgreSQL does not answer.
    """
    try:
        async with await open_bare_session(address_of(engine)) as session:
            yield session
    except psycopg.OperationalError as error:
        raise unavailable(error) from error


async def is_migrated(engine: Engine) -> bool:
    """Return whether our migrations have been here; then the worker's role can read the revision.

    Raises:
        SchemaUnfit: the schema is not ours, or was restored without its roles.
        StoreError: the login may not take the worker's role; the message has what to do.
        ConfigError: a pooler lends a server's session for one transaction only.
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with _bare(engine) as session:
        await refuse_shared(session, address_of(engine))
        facts: Any = await (await session.execute(_FACTS, {"role": ROLE})).fetchone()
    if not facts.is_migrated:
        if facts.relations:
            raise SchemaUnfit(
                "its schema notify holds tables or views that are not ours; move them to another schema, or use another"
                " database"
            )
        return False
    if not facts.has_role:
        raise SchemaUnfit(_WITHOUT_ROLES.format(f"the role {ROLE} does not exist on this server"))
    if not facts.is_member:
        raise StoreError(
            f"database: the login may not take the role {ROLE}; let an administrator run"
            f" `GRANT {ROLE} TO {facts.login}`"
        )
    if not facts.is_granted:
        raise SchemaUnfit(_WITHOUT_ROLES.format(f"the role {ROLE} has no rights in the schema notify"))
    return True


_WITHOUT_ROLES = (
    "{}, so the dump was restored before its roles were created; create the roles (run `xnovu db upgrade` in an empty"
    " database of this server), then restore the dump again into a new database"
)


async def superuser(engine: Engine) -> str | None:
    """Return the login's name if it is a superuser.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with _bare(engine) as session:
        facts: Any = await (await session.execute(_FACTS, {"role": ROLE})).fetchone()
    return str(facts.login) if facts.is_superuser else None


_GRANT = text("""
    SELECT format('GRANT %I TO %I', CAST(:role AS text), session_user)
    WHERE NOT pg_has_role(session_user, CAST(:role AS text), 'MEMBER')""")


async def find_missing_grant(engine: Engine) -> str | None:
    """Return the statement that lets the login of a pool take the worker's role; None if it may.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        grant: str | None = await connection.scalar(_GRANT, {"role": ROLE})
    return grant
