"""The doctor's checks of PostgreSQL that the chore does not make: the server, the logins, and what tenants could do."""

from datetime import timedelta
from types import SimpleNamespace

import psycopg
import pytest
from psycopg import sql

from tests.support.logins import a_login, bind, name_of, without_login
from tests.support.pooler import transaction_pooler
from tests.support.ports import closed_port
from tests.support.postgres import as_worker, quick_server
from tests.support.rows import Db, a_notification, engine_on, open_db
from xnovu_poller.doctor import postgres
from xnovu_poller.store import checks, chores
from xnovu_poller.store.checks import Bounds, Finding, server

NEEDED = 14
REFUSE_DDL = "CREATE EVENT TRIGGER xnovu_refuse_ddl ON ddl_command_start EXECUTE FUNCTION notify.refuse_ddl()"


async def find(url: str, needed: int = NEEDED) -> dict[str, list[Finding]]:
    """Return the problems that a worker's login finds, by code."""
    async with engine_on(as_worker(url)) as engine:
        findings = await postgres.examine(engine, needed)
    wrong: dict[str, list[Finding]] = {}
    for found in findings:
        if not found.is_sound:
            wrong.setdefault(found.code, []).append(found)
    return wrong


def run(db: Db, mend: str | None) -> None:
    """Run the SQL that a finding advises."""
    assert mend is not None
    db.execute(mend.rpartition("run: ")[2].encode())


async def test_a_sound_database_is_as_expected(any_database: str) -> None:
    """On each version; each check has a line, and nothing is changed."""
    async with engine_on(as_worker(any_database)) as engine:
        findings = await postgres.examine(engine, NEEDED)

    assert [found for found in findings if not found.is_sound] == []
    assert len({found.code for found in findings}) > 25
    with open_db(any_database) as db:
        assert db.execute("SELECT FROM notify.chore").rowcount == 0


async def test_a_server_that_is_away_is_one_finding() -> None:
    """It has a sentence, and no check is made."""
    with closed_port() as port:
        async with engine_on(f"postgresql://nobody@127.0.0.1:{port}/none") as engine:
            (finding,) = await postgres.examine(engine, NEEDED)

    assert (finding.code, finding.is_sound) == ("database_away", False)
    assert finding.actual.startswith("database: does not answer (Connection refused")


async def test_a_superusers_login_and_few_connections_are_found(database: str) -> None:
    """The limit of the server, of the login and of the database count."""
    async with engine_on(database) as engine:
        findings = await postgres.examine(engine, 10_000)

    wrong = {found.code: found for found in findings if not found.is_sound}
    assert set(wrong) == {"login_superuser", "connections_few"}
    assert "max_connections is 200" in wrong["connections_few"].actual


async def test_the_connections_of_a_login_are_limited(db: Db, database: str) -> None:
    """Also if the server has enough."""
    login = a_login(database, "xnovu_worker")
    try:
        db.execute(sql.SQL("ALTER ROLE {} CONNECTION LIMIT 5").format(sql.Identifier(name_of(login))))
        async with engine_on(login) as engine:
            findings = await checks.look_at_server(engine, 6)
        assert [found.code for found in findings if not found.is_sound] == ["connections_few"]
    finally:
        without_login(database, login)


async def test_a_database_that_only_reads_is_found(db: Db, database: str) -> None:
    """The other checks would fail, so they are left out."""
    name = db.info.dbname
    db.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on".encode())

    wrong = await find(database)

    assert set(wrong) == {"server_reads_only"}
    assert "default_transaction_read_only is on" in wrong["server_reads_only"][0].actual


async def test_a_pooler_that_does_not_pass_notify_is_found(database: str) -> None:
    """In transaction mode it lends a session for one transaction only."""
    url = as_worker(database)
    async with transaction_pooler(url) as pooler, engine_on(pooler.through(url)) as engine:
        (deaf,) = [found for found in await checks.look_at_server(engine, 1) if found.code == "listen_deaf"]

    assert "lends a session for one transaction only" in deaf.actual


async def test_a_schema_that_is_not_ours_is_found(empty_database: str) -> None:
    """The command that makes it is named."""
    wrong = await find(empty_database)

    assert set(wrong) == {"schema_unfit"}
    assert wrong["schema_unfit"][0].mend is not None
    assert "xnovu db upgrade" in wrong["schema_unfit"][0].mend


async def test_a_copy_is_found_and_not_changed(db: Db, database: str) -> None:
    """A worker would ask a person too."""
    a_notification(db)
    db.execute("UPDATE notify.deployment SET database = 'elsewhere'")

    (finding,) = (await find(database))["deployment_disputed"]

    assert "keep-deployment" in str(finding.mend)
    assert db.execute("SELECT FROM notify.deployment WHERE database = 'elsewhere'").rowcount == 1


async def test_autovacuum_that_is_off_for_a_table_is_found(db: Db, database: str) -> None:
    """Even before there are dead rows; the statement of the finding mends it."""
    db.execute("ALTER TABLE notify.ent_notification SET (autovacuum_enabled = false)")

    (finding,) = (await find(database))["autovacuum_off"]

    assert finding.actual.startswith("autovacuum: is off for notify.ent_notification")
    run(db, finding.mend)
    assert await find(database) == {}


async def test_faults_of_a_whole_server_are_found() -> None:
    """A prepared transaction that is left, autovacuum that is off; then the server comes back as a standby."""
    with quick_server(max_prepared_transactions="1", autovacuum="off") as started:
        url = started.url()
        with psycopg.connect(url) as other:
            other.execute("SELECT pg_current_xact_id()")
            other.execute("PREPARE TRANSACTION 'left'")
        with open_db(url) as db:
            upkeep = {
                check.code: check.judge(
                    row["format"]
                    for row in db.execute(str(check.statement).replace(":longest", "0").encode())
                )
                for check in checks.list_settings(Bounds())
            }
            db.execute("ROLLBACK PREPARED 'left'")
        started.stop()
        (started.folder / "cluster" / "data" / "standby.signal").touch()
        started.start()
        async with engine_on(started.url()) as engine:
            standby = {found.code: found for found in await checks.look_at_server(engine, NEEDED)}

    assert (
        upkeep["autovacuum_off"][0].mend == "run: ALTER SYSTEM RESET autovacuum, then SELECT pg_reload_conf()"
    )
    assert standby["server_reads_only"].actual.startswith("server: is a standby")
    assert "listen_deaf" not in standby
    assert upkeep["prepared_old"][0].actual.startswith(
        "prepared transaction: the oldest of 1 is 0 minutes old"
    )


async def test_an_event_trigger_that_is_off_or_missing_is_found(db: Db, database: str) -> None:
    """The statement of the finding mends both."""
    try:
        for damage in ("ALTER EVENT TRIGGER xnovu_refuse_ddl DISABLE", "DROP EVENT TRIGGER xnovu_refuse_ddl"):
            db.execute(damage.encode())
            (finding,) = (await find(database))["event_trigger_off"]
            run(db, finding.mend)
            assert await find(database) == {}
    finally:
        db.execute("DROP EVENT TRIGGER IF EXISTS xnovu_refuse_ddl")
        db.execute(REFUSE_DDL)


@pytest.mark.parametrize(
    ("roles", "is_bound", "change", "fact"),
    [
        (("xnovu_tenant", "xnovu_worker"), False, "", "names its enterprise itself"),
        (("xnovu_tenant", "xnovu_producer"), False, "", "names its enterprise itself"),
        (("xnovu_tenant",), True, "BYPASSRLS", "bypasses row-level security"),
        (("xnovu_producer",), False, "BYPASSRLS", "bypasses row-level security"),
        (("xnovu_tenant",), True, "SUPERUSER", "is a superuser"),
        (("xnovu_tenant", "pg_read_server_files"), True, "", "can read the files of the server"),
    ],
)
async def test_a_login_that_could_act_for_another_enterprise_is_found(
    db: Db, database: str, roles: tuple[str, ...], change: str, fact: str, *, is_bound: bool
) -> None:
    """The finding names the login and has the statement that mends it."""
    login = a_login(database, *roles)
    name = sql.Identifier(name_of(login))
    try:
        if is_bound:
            bind(database, login, "acme")
        if change:
            db.execute(sql.SQL("ALTER ROLE {} " + change).format(name))

        (finding,) = (await find(database))["tenant_unconfined"]

        assert finding.actual.startswith(
            f"login {name_of(login)}: it can act for every enterprise, because it"
        )
        assert fact in finding.actual
        assert name_of(login) in str(finding.mend)
    finally:
        db.execute("DELETE FROM notify.tenant_login")
        without_login(database, login)


async def test_bindings_that_do_not_confine_are_found(db: Db, database: str) -> None:
    """A bound login joins the workers, an unbound login can choose between two, and a binding has lost its login."""
    acme, globex, chooser = (a_login(database, "xnovu_tenant") for _ in range(3))
    try:
        for login, enterprise in ((acme, "acme"), (globex, "globex")):
            bind(database, login, enterprise)
            db.execute(f"GRANT {name_of(login)} TO {name_of(chooser)}".encode())
        assert [found.actual for found in (await find(database))["tenant_several"]] == [
            f"login {name_of(chooser)}: it is not bound, and can take roles that are bound to 2 enterprises"
        ]
        db.execute(f"GRANT xnovu_worker TO {name_of(acme)}".encode())
        db.execute(f"REVOKE {name_of(acme)} FROM {name_of(chooser)}".encode())
        db.execute(f"ALTER ROLE {name_of(globex)} RENAME TO gone".encode())

        wrong = await find(database)

        assert [found.actual.partition("because ")[2] for found in wrong["tenant_unconfined"]] == [
            "it is bound and a member of xnovu_worker"
        ]
        assert wrong["binding_void"][0].actual.startswith(f"binding of {name_of(globex)}: no login has")
        db.execute(f"ALTER ROLE gone RENAME TO {name_of(globex)}".encode())
    finally:
        db.execute("DELETE FROM notify.tenant_login")
        for login in (acme, globex, chooser):
            without_login(database, login)


async def test_a_policy_of_others_is_found(db: Db, database: str) -> None:
    """Policies add up, so it would open rows to everybody."""
    db.execute("CREATE POLICY open ON notify.ent_notification USING (true)")

    (finding,) = (await find(database))["policy_foreign"]

    assert finding.actual.startswith("policy open of notify.ent_notification: it opens rows to everybody")
    run(db, finding.mend)
    assert await find(database) == {}


async def test_a_check_that_is_refused_does_not_keep_the_others_from_being_made(
    db: Db, database: str
) -> None:
    """Somebody has locked a table, a right is missing, and a trigger is off."""
    db.execute("REVOKE ALL ON SEQUENCE notify.ent_notification_id_seq FROM xnovu_worker")
    db.execute("ALTER TABLE notify.ent_notification DISABLE TRIGGER guard_update")
    with psycopg.connect(database) as other:
        other.execute("LOCK TABLE notify.ent_notification_rule")

        wrong = await find(database)

    assert set(wrong) == {"rules_unscheduled", "sequence_behind", "trigger_off"}
    assert "another session holds a lock" in wrong["rules_unscheduled"][0].actual
    assert "permission denied for sequence" in wrong["sequence_behind"][0].actual


def test_a_server_that_is_too_old_is_found() -> None:
    """None of our versions is, so this is the row that an older server would answer."""
    found = server._judge_version(SimpleNamespace(number=130011, version="13.11"))

    assert (found.code, found.actual, found.mend) == (
        "server_old",
        "server: has version 13.11",
        "upgrade the server",
    )


async def test_a_chore_that_failed_is_found(db: Db, database: str) -> None:
    """With the sentence that the worker has recorded."""
    async with engine_on(as_worker(database)) as engine:
        await chores.record(engine, "rules", timedelta(0), None, "Temporal: does not answer (UNAVAILABLE)")

    (finding,) = (await find(database))["chore_failed"]

    assert finding.actual.endswith("(Temporal: does not answer (UNAVAILABLE))")
