"""The migrations: bring a database to this version, and check which version it has."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from psycopg.errors import DependentObjectsStillExist, InsufficientPrivilege
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from xnovu_poller.errors import SchemaBehind, SchemaUnreleased, StoreError, StoreUnavailable
from xnovu_poller.store.engine import ROLE, Engine, acquire

_PACKAGE = Path(__file__).parent.parent

COMPARED = ("alembic.autogenerate.*", "~alembic.autogenerate.comments")
"""Compare a schema with the models in everything but comments, which only the SQL files have."""

# Revisions before the first release. Alembic accepts the beginning of a revision, so without this list it would read
# "0001" as our "0001_initial", and consider the database up to date.
_UNRELEASED = frozenset({"0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008"})


def _config(url: str | None = None) -> Config:
    """Return Alembic's configuration; the migrations are in the installed package, or beside it in a checkout."""
    packaged = _PACKAGE / "_migrations"
    config = Config()
    config.set_main_option("path_separator", "os")
    config.set_main_option(
        "script_location", str(packaged if packaged.is_dir() else _PACKAGE.parent / "migrations")
    )
    config.attributes["url"] = url
    return config


def upgrade(url: str, revision: str = "head") -> None:
    """Upgrade the database of `url` (`postgresql+psycopg://…`) to a revision.

    Raises:
        SchemaUnreleased: a version before the first release made its schema. Nothing was changed.
        StoreError: it cannot be done; the message has what to do. Nothing was changed.
    """
    _change(command.upgrade, url, revision)


def downgrade(url: str, revision: str) -> None:
    """Downgrade the database of `url` to a revision; `base` drops the schema with all its rows.

    Raises:
        SchemaUnreleased: a version before the first release made its schema. Nothing was changed.
        StoreError: it cannot be done; the message has what to do. Nothing was changed.
    """
    _change(command.downgrade, url, revision)


def _change(change: Callable[[Config, str], None], url: str, revision: str) -> None:
    try:
        change(_config(url), revision)
    except CommandError as error:
        # env.py wraps our errors in Alembic's, which Alembic does not log.
        if isinstance(error.__cause__, StoreError):
            raise error.__cause__ from None
        raise StoreError(str(error)) from error


def refuse_unreleased(revision: str | None) -> None:
    """Refuse a schema that was made before the first release.

    Raises:
        SchemaUnreleased: the revision is from before the first release.
    """
    if revision in _UNRELEASED:
        raise SchemaUnreleased(revision)


def lacking_right(error: BaseException | None) -> str | None:
    """Return which right the login lacks and what to do; None if the error has another cause."""
    if not isinstance(error, InsufficientPrivilege):
        return None
    # roles.sql raises this error with a hint that has the statements for an administrator.
    hint = error.diag.message_hint or "it must own the database, or the schema and everything in it"
    return f"{error.diag.message_primary}; {hint}"


def dependents(error: BaseException | None) -> str | None:
    """Return what still depends on an object that should be dropped; None if the error has another cause."""
    return error.diag.message_detail if isinstance(error, DependentObjectsStillExist) else None


def required_revision() -> str:
    """Return the revision that this version of the package needs."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise StoreError("migrations: this installation has none; install the package again")
    return head


async def check(engine: Engine) -> None:
    """Check that the database is at our revision.

    Raises:
        SchemaBehind: it is not.
        SchemaUnreleased: a version before the first release made its schema.
        StoreError: the login may not take the worker's role; the message has what to do.
        StoreUnavailable: PostgreSQL does not answer.
    """
    head = await asyncio.to_thread(required_revision)
    found = await _read_revision(engine)
    refuse_unreleased(found)
    if found != head:
        raise SchemaBehind(found, head)


_REVISION = text("SELECT version_num FROM notify.alembic_version")


async def _read_revision(engine: Engine) -> str | None:
    try:
        async with acquire(engine) as connection:
            found: str | None = await connection.scalar(_REVISION)
            return found
    except ProgrammingError:
        return None
    except StoreUnavailable:
        # The migrations create the role; without them we cannot connect.
        if await _has_role(engine):
            raise
        return None


_ROLE = text("""
    SELECT quote_ident(current_user) AS login, pg_has_role(current_user, oid, 'MEMBER') AS is_member
    FROM pg_roles WHERE rolname = :role""")


async def _has_role(engine: Engine) -> bool:
    """Return whether the worker's role exists; connect as the login itself, without the role.

    Raises:
        StoreError: the role exists, but the login may not take it.
        StoreUnavailable: PostgreSQL does not answer.
    """
    bare = create_async_engine(engine.url, poolclass=NullPool, connect_args={"connect_timeout": 5})
    async with acquire(bare) as connection:
        found = (await connection.execute(_ROLE, {"role": ROLE})).one_or_none()
    if found is not None and not found.is_member:
        raise StoreError(
            f"database: the login may not take the role {ROLE}; let an administrator run"
            f" `GRANT {ROLE} TO {found.login}`"
        )
    return found is not None
