"""The database as the login sees it: each kind of unfit database has its own sentence, and none sends you in a circle."""

import asyncio
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.support.logins import a_login, without_login
from tests.support.postgres import quick_server
from tests.support.rows import Db, engine_on
from xnovu_poller.dev.postgres import Postgres
from xnovu_poller.errors import SchemaBehind, SchemaUnfit
from xnovu_poller.store import checks, fitness, schema
from xnovu_poller.store.session import ROLE


async def refusal(url: str) -> str:
    """Return the sentence with which the worker refuses a database."""
    async with engine_on(url) as engine:
        with pytest.raises(SchemaUnfit) as raised:
            await schema.check(engine)
    return str(raised.value)


async def test_a_schema_that_is_not_ours_is_refused(empty_database: str) -> None:
    """Nobody is sent to `xnovu db upgrade`, which would fail there."""
    with psycopg.connect(empty_database, autocommit=True) as owner:
        owner.execute("CREATE SCHEMA notify CREATE TABLE ent_notification (id int)")

    assert "not ours" in await refusal(empty_database)


async def test_an_empty_schema_is_behind(empty_database: str) -> None:
    """An administrator may create it for a login that may not."""
    with psycopg.connect(empty_database, autocommit=True) as owner:
        owner.execute("CREATE SCHEMA notify")

    async with engine_on(empty_database) as engine:
        with pytest.raises(SchemaBehind):
            await schema.check(engine)


@pytest.fixture(scope="module")
def bare_server() -> Iterator[Postgres]:
    """Run a server without our roles."""
    with quick_server() as server:
        yield server


async def test_a_dump_restored_without_its_roles_is_refused(bare_server: Postgres, database: str) -> None:
    """Also if the roles are created afterwards, because their grants and policies are lost."""
    target = bare_server.create_database("restored")
    await asyncio.to_thread(restore, database, target)

    assert f"the role {ROLE} does not exist" in await refusal(target)
    with psycopg.connect(target, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {ROLE}".encode())
        assert f"the role {ROLE} has no rights" in await refusal(target)
        admin.execute(f"GRANT USAGE ON SCHEMA notify TO {ROLE}".encode())
        admin.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA notify TO {ROLE}".encode())
    assert "row-level security has no policy" in await refusal(target)


def restore(source: str, target: str) -> None:
    """Copy the tables of a database to a server that lacks their roles, as pg_restore does: without grants and policies."""
    with psycopg.connect(source) as old, psycopg.connect(target, autocommit=True) as new:
        new.execute("CREATE SCHEMA notify")
        new.execute(
            "CREATE TABLE notify.alembic_version AS SELECT %s AS version_num", [schema.required_revision()]
        )
        found = old.execute(
            "SELECT relname, relrowsecurity FROM pg_class WHERE oid::regclass::text = ANY (%s)",
            [[f"notify.{table}" for table in fitness.TABLES]],
        ).fetchall()
        for table, is_secured in found:
            new.execute(f"CREATE TABLE notify.{table} (id int)".encode())
            if is_secured:
                new.execute(
                    f"ALTER TABLE notify.{table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY".encode()
                )


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        ("DROP POLICY {policy} ON notify.ent_notification", "no policy for xnovu_worker"),
        ("REVOKE ALL ON notify.ent_notification FROM xnovu_worker", "no right to it"),
    ],
)
async def test_what_the_worker_cannot_reach_is_found(
    db: Db, database: str, damage: str, sentence: str
) -> None:
    """At the start, and by the doctor while it runs; before, all looked healthy and nothing was sent."""
    policies = db.execute(
        "SELECT polname FROM pg_policy WHERE polrelid = 'notify.ent_notification'::regclass"
    )
    for policy in policies.fetchall():
        db.execute(damage.format(policy=policy["polname"]).encode())

    assert sentence in await refusal(database)
    async with engine_on(database) as engine:
        findings = await checks.examine(engine)
    assert [f.sentence.count(sentence) for f in findings if f.code == "table_unreachable"] == [1]


async def test_a_superuser_is_known(database: str, db: Db) -> None:
    """Also while its session has the worker's role."""
    login = a_login(database, ROLE)
    async with engine_on(database) as engine:
        assert await fitness.superuser(engine) == db.info.user
    async with engine_on(login) as engine:
        assert await fitness.superuser(engine) is None
    without_login(database, login)


async def test_a_login_that_does_not_inherit_works(database: str, db: Db) -> None:
    """Membership is enough, because the session takes the role."""
    login = a_login(database, ROLE)
    db.execute(f"ALTER ROLE {urlsplit(login).username} NOINHERIT".encode())
    async with engine_on(login) as engine:
        await schema.check(engine)
    without_login(database, login)
