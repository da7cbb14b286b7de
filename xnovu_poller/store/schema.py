"""The migrations: bring a database to this version, and check which version it has."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from psycopg.errors import DependentObjectsStillExist, InsufficientPrivilege
from sqlalchemy import Connection, text

from xnovu_poller.errors import (
    SchemaAhead,
    SchemaBehind,
    SchemaUnfit,
    SchemaUnreleased,
    StoreError,
    XnovuError,
)
from xnovu_poller.store.engine import Engine, acquire
from xnovu_poller.store.fitness import TABLES, UNREACHABLE, is_migrated

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


def scripts() -> ScriptDirectory:
    """Return our migrations."""
    return ScriptDirectory.from_config(_config())


def upgrade(url: str, revision: str = "head") -> str:
    """Upgrade the database of `url` (`postgresql+psycopg://…`) to a revision, and return where it is now.

    Change nothing if a newer version has migrated it and this version works with it.

    Raises:
        SchemaUnreleased: a version before the first release made its schema. Nothing was changed.
        SchemaAhead: a newer version has migrated it, and this version does not work with it. Nothing was changed.
        StoreError: it cannot be done; the message has what to do. Nothing was changed.
    """
    try:
        _change(command.upgrade, url, revision)
    except SchemaAhead as ahead:
        if revision == "head" and ahead.is_compatible:
            return ahead.found
        raise
    return required_revision() if revision == "head" else revision


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
        if isinstance(error.__cause__, XnovuError):
            raise error.__cause__ from None
        raise StoreError(str(error)) from error


def refuse_unknown(revision: str | None, compatible_from: str | None) -> None:
    """Refuse a schema that none of our migrations has made.

    Args:
        revision: the database's.
        compatible_from: what its last migration wrote: versions work with it whose own revision is this or a later one.

    Raises:
        SchemaUnreleased: the revision is from before the first release.
        SchemaAhead: the revision is from a newer version.
    """
    if revision in _UNRELEASED:
        raise SchemaUnreleased(revision)
    known = {script.revision for script in scripts().walk_revisions()}
    if revision is not None and revision not in known:
        raise SchemaAhead(revision, required_revision(), is_compatible=compatible_from in known)


def compatible_from(revision: str) -> str | None:
    """Return from which revision on a version works with a revision; None: only from that revision itself."""
    module = scripts().get_revision(revision).module
    return getattr(module, "compatible_from", None)


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
    head = scripts().get_current_head()
    if head is None:
        raise StoreError("migrations: this installation has none; install the package again")
    return head


async def check(engine: Engine) -> str | None:
    """Check that this version works with the database's schema, and that the worker's role reaches its tables.

    Returns:
        The database's revision if it is ahead of ours; None if it is ours.

    Raises:
        SchemaUnfit: it does not.
        StoreError: the login may not take the worker's role; the message has what to do.
        StoreUnavailable: PostgreSQL does not answer.
    """
    found: tuple[str | None, str | None] = (None, None)
    problems: Sequence[str] = []
    if await is_migrated(engine):
        async with acquire(engine) as connection:
            found = await connection.run_sync(_read)
            problems = (await connection.scalars(_UNREACHABLE, {"tables": TABLES})).all()
    ahead = await asyncio.to_thread(_refuse_other_version, *found)
    if problems:
        raise SchemaUnfit("; ".join(problems))
    return ahead


async def describe(engine: Engine) -> dict[str, str | None]:
    """Return the revision of the database, and the revision that we need.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        found = await connection.scalar(_REVISION)
    return {"revision": found, "required": await asyncio.to_thread(required_revision)}


def _refuse_other_version(found: str | None, compatible_from: str | None) -> str | None:
    try:
        refuse_unknown(found, compatible_from)
    except SchemaAhead as ahead:
        if ahead.is_compatible:
            return found
        raise
    if found != (head := required_revision()):
        raise SchemaBehind(found, head)
    return None


def read_revision(connection: Connection) -> tuple[str | None, str | None]:
    """Return the database's revision, and from which revision on a version works with it."""
    return _read(connection) if connection.scalar(_HAS_REVISION) else (None, None)


def _read(connection: Connection) -> tuple[str | None, str | None]:
    found = connection.execute(_REVISION).one_or_none()
    return (None, None) if found is None else (found.version_num, found.compatible_from)


_HAS_REVISION = text("SELECT pg_catalog.to_regclass('notify.alembic_version') IS NOT NULL")

# Read the second column in this way, because databases of older versions do not have it.
_REVISION = text("""
    SELECT version_num, pg_catalog.to_jsonb(migrated) ->> 'compatible_from' AS compatible_from
    FROM notify.alembic_version AS migrated""")
_UNREACHABLE = text(UNREACHABLE)
