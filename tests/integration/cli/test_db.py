"""`xnovu db`: to the newest schema and back, the deployment, and the errors."""

import json

import psycopg

from tests.support.forked import xnovu
from tests.support.logins import a_login, without_login
from tests.support.ports import closed_port
from tests.support.postgres import as_worker
from tests.support.rows import Db, a_notification, open_db, row
from xnovu_poller.dev.ports import LOOPBACK
from xnovu_poller.lifecycle import Status
from xnovu_poller.store.schema import required_revision

SCHEMAS = "SELECT FROM pg_namespace WHERE nspname = 'notify'"


def has_schema(url: str) -> bool:
    """Return whether our schema exists."""
    with open_db(url) as db:
        return db.execute(SCHEMAS).rowcount == 1


def test_an_empty_database_is_upgraded_and_downgraded(empty_database: str) -> None:
    """A second upgrade changes nothing; a downgrade must be confirmed."""
    for _ in range(2):
        upgraded = xnovu("db", "upgrade", DATABASE_URL=empty_database)
        assert (upgraded.returncode, upgraded.stderr) == (0, "")
        assert upgraded.stdout.startswith("The database is at ")
    assert has_schema(empty_database)

    assert xnovu("db", "downgrade", "base", DATABASE_URL=empty_database).returncode == 1
    assert has_schema(empty_database)

    downgraded = xnovu("db", "downgrade", "base", "--yes", DATABASE_URL=empty_database)
    assert (downgraded.returncode, downgraded.stdout) == (0, "The database is at base.\n")
    assert not has_schema(empty_database)


def test_the_sql_of_an_upgrade_is_printed_and_nothing_is_changed(empty_database: str) -> None:
    """--sql needs no database, and begins anywhere; --plan begins where the database is."""
    planned = xnovu("db", "upgrade", "--plan", DATABASE_URL=empty_database)
    script = xnovu("db", "upgrade", "--sql")
    rest = xnovu("db", "upgrade", "0009_words", "--sql", "--from", "0008_logins")
    unknown = xnovu("db", "upgrade", "--sql", "--from", "nope")
    forgotten = xnovu("db", "upgrade", "--from", "0008_logins", DATABASE_URL=empty_database)
    both = xnovu("db", "upgrade", "--plan", "--sql", DATABASE_URL=empty_database)

    assert (planned.returncode, planned.stdout) == (0, script.stdout)
    assert "CREATE TABLE notify.ent_notification (" in script.stdout
    assert rest.stdout.startswith("-- The upgrade to 0009_words; revisions: 1.")
    assert "-- Lock: ACCESS EXCLUSIVE on notify.ent_notification: waits for all who use" in rest.stdout
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert unknown.stderr.startswith("xnovu: migrations: there is no revision 'nope'")
    assert (forgotten.returncode, both.returncode) == (2, 2)
    assert not has_schema(empty_database)


def test_the_revision_of_the_database_is_shown(database: str, empty_database: str) -> None:
    """A database without the schema is a sentence and exit code 3."""
    newest = required_revision()
    shown = xnovu("db", "current", DATABASE_URL=database)
    as_json = xnovu("db", "current", "--json", DATABASE_URL=database)
    empty = xnovu("db", "current", DATABASE_URL=empty_database)

    assert shown.stdout == f"The database is at {newest}; this version needs {newest}.\n"
    assert json.loads(as_json.stdout) == {"revision": newest, "required": newest}
    assert (empty.returncode, empty.stdout) == (3, "")
    assert "xnovu db upgrade" in empty.stderr


def test_where_nothing_is_left_to_do_no_right_is_needed(database: str) -> None:
    """The login of a worker may not migrate, and learns that it need not."""
    ended = xnovu("db", "upgrade", DATABASE_URL=as_worker(database))

    newest = required_revision()
    assert (ended.returncode, ended.stdout) == (0, f"The database is at {newest}.\n"), ended.stderr


def test_an_unknown_revision_is_reported_in_a_sentence(database: str) -> None:
    """The exit code is 1, without a traceback."""
    ended = xnovu("db", "upgrade", "nope", DATABASE_URL=database)

    assert ended.returncode == 1
    assert ended.stderr.startswith("xnovu: ")
    assert "nope" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_schema_of_an_unreleased_version_is_refused(database: str, db: Db) -> None:
    """The message and exit code are those of a worker's start."""
    db.execute("UPDATE notify.alembic_version SET version_num = '0001'")

    for command in (("db", "upgrade"), ("db", "downgrade", "base", "--yes"), ("db", "keep-deployment")):
        ended = xnovu(*command, DATABASE_URL=database)
        assert (ended.returncode, ended.stdout) == (3, "")
        assert ended.stderr.startswith(
            "xnovu: database: its schema was made by an unreleased version (revision 0001)"
        )
        assert ended.stderr.count("\n") == 1


def test_a_refusing_server_is_reported_without_the_password(empty_database: str) -> None:
    """The reason is PostgreSQL's own, or the system's."""
    wrong = empty_database.replace("postgres:", "nobody:hunter2", 1).replace(
        "//nobody:hunter2", "//nobody:hunter2-"
    )
    with closed_port() as port:
        refused = xnovu("db", "upgrade", DATABASE_URL=wrong)
        absent = xnovu("db", "upgrade", DATABASE_URL=f"postgresql://nobody:hunter2@{LOOPBACK}:{port}/d")

    for ended, verdict, reason in (
        (refused, "cannot serve now", 'failed for user "nobody"'),
        (absent, "does not answer", "Connection refused"),
    ):
        assert ended.returncode == 1
        assert ended.stderr.startswith(f"xnovu: database: {verdict} (")
        assert reason in ended.stderr
        assert "hunter2" not in ended.stderr + ended.stdout
        assert "Traceback" not in ended.stderr


def test_without_an_address_it_names_the_setting() -> None:
    """The exit code is the worker's."""
    ended = xnovu("db", "upgrade")

    assert (ended.returncode, ended.stderr) == (
        2,
        "xnovu: settings:\n  DATABASE_URL: is not set; write postgresql://user:password@host:5432/database, or copy the line that `xnovu dev` prints\n",
    )


def short_id(db: Db) -> str:
    """Return the deployment's short name."""
    found = db.execute("SELECT left(id::text, 8) AS name FROM notify.deployment").fetchone()
    assert found is not None
    return str(found["name"])


def test_a_copy_becomes_its_own_deployment(database: str, db: Db) -> None:
    """The worker's login may do it, and the command prints what it changed."""
    made, former = a_notification(db), short_id(db)
    a_notification(db, status=Status.PROCESSING)
    a_notification(db, status=Status.SENT)
    before = row(db, made)["transaction_id"]
    login = a_login(database, "xnovu_worker")

    ended = xnovu("db", "new-deployment", DATABASE_URL=login)
    without_login(database, login)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == (
        f"This database is now deployment {short_id(db)}; {former} remains the original.\n"
        "Notifications that are not sent have new transaction ids: 2.\n"
        "Of these, the original was sending 1, now due here again.\n"
    )
    assert row(db, made)["transaction_id"] != before


def test_a_copy_stays_as_it_is_while_workers_are_connected(database: str, db: Db) -> None:
    """They would continue under the former id."""
    former = short_id(db)
    with psycopg.connect(database, application_name="xnovu:worker"):
        ended = xnovu("db", "new-deployment", DATABASE_URL=database)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == ("xnovu: database: workers are connected (1 connections); stop them first\n")
    assert short_id(db) == former


def test_a_copy_keeps_the_deployment(database: str, db: Db) -> None:
    """All of its rows stay the same."""
    before, former = row(db, a_notification(db)), short_id(db)

    ended = xnovu("db", "keep-deployment", DATABASE_URL=database)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == f"Deployment {former} now lives in this database.\n"
    assert row(db, before["id"]) == before


def test_a_database_without_our_schema_has_no_deployment(empty_database: str) -> None:
    """The exit code is the worker's."""
    for command in ("new-deployment", "keep-deployment"):
        ended = xnovu("db", command, DATABASE_URL=empty_database)
        assert ended.returncode == 3
        assert "run `xnovu db upgrade`" in ended.stderr
