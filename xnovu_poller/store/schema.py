"""The migrations from within: bring a database to this version, or say how far it is."""

import asyncio
from pathlib import Path
from uuid import UUID

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from xnovu_poller.errors import SchemaBehind, StoreError
from xnovu_poller.store.engine import Engine, reach

_PACKAGE = Path(__file__).parent.parent


def _config(url: str | None = None) -> Config:
    """Find the migrations: inside an installed package, beside it in a checkout."""
    packaged = _PACKAGE / "_migrations"
    config = Config()
    config.set_main_option("path_separator", "os")
    config.set_main_option(
        "script_location", str(packaged if packaged.is_dir() else _PACKAGE.parent / "migrations")
    )
    config.attributes["url"] = url
    return config


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the database of `url` (`postgresql+psycopg://…`) to a revision.

    Raises:
        StoreError: it cannot be; the message says what to do. Nothing was changed.
    """
    try:
        command.upgrade(_config(url), revision)
    except CommandError as error:
        raise StoreError(str(error)) from error


def downgrade(url: str, revision: str) -> None:
    """Take the database of `url` back to a revision; `base` takes the schema away with all its rows.

    Raises:
        StoreError: it cannot be; the message says what to do. Nothing was changed.
    """
    try:
        command.downgrade(_config(url), revision)
    except CommandError as error:
        raise StoreError(str(error)) from error


def wanted() -> str:
    """Name the revision that this version of the package needs."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise StoreError("migrations: this installation carries none; install the package again")
    return head


async def check(engine: Engine) -> None:
    """Ask whether the database is at our migration.

    Raises:
        SchemaBehind: it is not.
        StoreUnavailable: PostgreSQL does not answer.
    """
    head = await asyncio.to_thread(wanted)
    found: str | None
    async with reach(engine) as connection:
        try:
            found = await connection.scalar(text("SELECT version_num FROM notify.alembic_version"))
        except ProgrammingError:
            found = None
    if found != head:
        raise SchemaBehind(found, head)


async def deployment(engine: Engine) -> UUID:
    """Tell the id of this deployment; a database that is a copy of another mints its own first.

    Returns:
        The id that prefixes workflow ids and travels in their input.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with reach(engine) as connection:
        await connection.execute(_MINT)
        return UUID(str(await connection.scalar(text("SELECT id FROM notify.deployment"))))


_MINT = text("""
UPDATE notify.deployment SET id = gen_random_uuid(), database = here.database
FROM (
    SELECT system_identifier || '/' || (SELECT oid FROM pg_database WHERE datname = current_database()) AS database
    FROM pg_control_system()
) AS here
WHERE deployment.database <> here.database
""")
