"""The migration that gives applications a role of their own: who is moved, and who is not."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from tests.support.logins import a_login, bind, name_of
from tests.support.migrating import downgrade, upgrade
from tests.support.postgres import quick_server
from tests.support.rows import open_db
from xnovu_poller.dev.postgres import Postgres
from xnovu_poller.errors import StoreError

BEFORE, AFTER = "0001_initial", "0002_roles"


@pytest.fixture
def server() -> Iterator[Postgres]:
    """Run a server of its own, because roles belong to all its databases."""
    with quick_server() as running:
        yield running


def groups_of(url: str, login: str) -> set[str]:
    """Return the roles of ours that a login is a member of."""
    with open_db(url) as db:
        found = db.execute(
            "SELECT roleid::regrole::text AS role FROM pg_auth_members WHERE member = to_regrole(%s)",
            [name_of(login)],
        )
        return {member["role"] for member in found}


def test_members_are_moved_once_and_moved_back(server: Postgres, caplog: pytest.LogCaptureFixture) -> None:
    """A tenant's login that is made later stays a tenant's, also if another database is migrated."""
    first = server.create_database("first")
    upgrade(first, BEFORE)
    application = a_login(first, "xnovu_tenant")
    upgrade(first, AFTER)
    assert groups_of(first, application) == {"xnovu_producer"}
    assert f"are members of xnovu_producer now, with the same rights: {name_of(application)}" in caplog.text
    with open_db(application) as login:
        login.execute("SELECT set_config('app.current_enterprise_id', 'acme', false)")
        login.execute(
            "INSERT INTO notify.ent_notification (enterprise_id, name, recipients) VALUES ('acme', 'a', '{s}')"
        )
    tenant = a_login(first, "xnovu_tenant")
    bind(first, tenant, "acme")
    second = server.create_database("second")
    upgrade(second, AFTER)
    assert groups_of(first, tenant) == {"xnovu_tenant"}

    downgrade(second)
    downgrade(first, BEFORE)
    assert groups_of(first, application) >= {"xnovu_tenant"}
    assert groups_of(first, tenant) == set()
    with open_db(application) as login:
        login.execute("SELECT set_config('app.current_enterprise_id', 'acme', false)")
        assert login.execute("DELETE FROM notify.ent_notification_template").rowcount == 0
        assert login.execute("SELECT FROM notify.ent_notification").rowcount == 1


def test_an_application_of_a_database_that_is_not_migrated_goes_on(server: Postgres) -> None:
    """The first migrated database must not take the role that the second still needs."""
    first, second = server.create_database("first"), server.create_database("second")
    upgrade(first, BEFORE)
    upgrade(second, BEFORE)
    application = a_login(second, "xnovu_tenant")

    upgrade(first, AFTER)

    assert groups_of(first, application) == {"xnovu_tenant", "xnovu_producer"}
    with psycopg.connect(application, autocommit=True) as login:
        login.execute("SELECT set_config('app.current_enterprise_id', 'acme', false)")
        login.execute(sql.SQL("DELETE FROM notify.ent_notification_template"))


def run(url: str, *statements: str) -> None:
    """Run statements as an administrator."""
    with psycopg.connect(url, autocommit=True) as admin:
        for statement in statements:
            admin.execute(statement.encode())


def test_after_a_downgrade_only_applications_have_the_older_role(server: Postgres) -> None:
    """There the role chooses its enterprise, so no login of a tenant keeps it, whether a row binds it or not."""
    first, second = server.create_database("first"), server.create_database("second")
    upgrade(first, AFTER)
    upgrade(second, AFTER)
    run(first, "CREATE ROLE tenants IN ROLE xnovu_tenant", "CREATE ROLE applications IN ROLE xnovu_producer")
    run(first, "CREATE ROLE granter CREATEROLE", "GRANT xnovu_tenant TO granter WITH ADMIN OPTION")
    unbound, renamed, elsewhere, granted = (a_login(first, "xnovu_tenant") for _ in range(4))
    in_group, application = a_login(first, "tenants"), a_login(first, "applications")
    bind(first, renamed, "acme")
    bind(second, elsewhere, "acme")
    run(first, f"ALTER ROLE {name_of(renamed)} RENAME TO other_name")
    run(first, f"REVOKE xnovu_tenant FROM {name_of(granted)}")
    run(first, "SET ROLE granter", f"GRANT xnovu_tenant TO {name_of(granted)}")

    downgrade(first, BEFORE)

    with open_db(first) as db:
        found = db.execute(
            "SELECT rolname FROM pg_roles WHERE NOT rolsuper AND pg_has_role(oid, 'xnovu_tenant', 'MEMBER')"
        )
        kept = {role["rolname"] for role in found}
    assert kept - {"xnovu_tenant", "xnovu_producer"} == {"applications", name_of(application)}
    assert not kept & {name_of(login) for login in (unbound, elsewhere, granted, in_group)}


def test_a_downgrade_stops_at_a_tenant_in_a_group_of_applications(server: Postgres) -> None:
    """The binding is lost, so this login would choose its enterprise."""
    url = server.create_database("first")
    upgrade(url, AFTER)
    run(url, "CREATE ROLE applications IN ROLE xnovu_producer")
    bound = a_login(url, "applications")
    bind(url, bound, "acme")

    with pytest.raises(StoreError, match=f"could choose their enterprise: {name_of(bound)}"):
        downgrade(url, BEFORE)

    run(url, f"REVOKE applications FROM {name_of(bound)}")
    downgrade(url, BEFORE)
    assert groups_of(url, bound) == set()
