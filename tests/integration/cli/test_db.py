"""`xnovu db`: to the newest schema and back, whose it is, and what it says when it cannot."""

import psycopg

from tests.support.forked import xnovu
from tests.support.logins import a_login, without_login
from tests.support.rows import Db, a_notification, open_db, row
from xnovu_poller.dev.ports import LOOPBACK, free_port
from xnovu_poller.lifecycle import Status

SCHEMAS = "SELECT FROM pg_namespace WHERE nspname = 'notify'"


def has_schema(url: str) -> bool:
    """Say whether our schema is there."""
    with open_db(url) as db:
        return db.execute(SCHEMAS).rowcount == 1


def test_an_empty_database_is_brought_to_the_newest_and_back(empty_database: str) -> None:
    """Once more changes nothing; the way back has to be confirmed."""
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


def test_an_unknown_revision_is_told_in_a_sentence(database: str) -> None:
    """Exit code 1, and no traceback."""
    ended = xnovu("db", "upgrade", "nope", DATABASE_URL=database)

    assert ended.returncode == 1
    assert ended.stderr.startswith("xnovu: ")
    assert "nope" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_schema_of_an_unreleased_version_is_refused(database: str, db: Db) -> None:
    """By its sentence and the exit code of a schema that does not fit, as the worker's start is."""
    db.execute("UPDATE notify.alembic_version SET version_num = '0001'")

    for command in (("db", "upgrade"), ("db", "downgrade", "base", "--yes"), ("db", "keep-deployment")):
        ended = xnovu(*command, DATABASE_URL=database)
        assert (ended.returncode, ended.stdout) == (3, "")
        assert ended.stderr.startswith(
            "xnovu: database: its schema was made by an unreleased version (revision 0001)"
        )
        assert ended.stderr.count("\n") == 1


def test_a_server_that_refuses_us_is_told_without_the_password(empty_database: str) -> None:
    """In PostgreSQL's own words, or the system's."""
    wrong = empty_database.replace("postgres:", "nobody:hunter2", 1).replace(
        "//nobody:hunter2", "//nobody:hunter2-"
    )
    away = f"postgresql://nobody:hunter2@{LOOPBACK}:{free_port()}/d"

    for url, words in ((wrong, 'failed for user "nobody"'), (away, "Connection refused")):
        ended = xnovu("db", "upgrade", DATABASE_URL=url)
        assert ended.returncode == 1
        assert ended.stderr.startswith("xnovu: database: does not answer (")
        assert words in ended.stderr
        assert "hunter2" not in ended.stderr + ended.stdout
        assert "Traceback" not in ended.stderr


def test_without_an_address_it_asks_for_one() -> None:
    """The same exit code as the worker's."""
    ended = xnovu("db", "upgrade")

    assert (ended.returncode, ended.stderr) == (2, "xnovu: settings:\n  DATABASE_URL: is not set\n")


def short_id(db: Db) -> str:
    """Give the deployment's short name."""
    found = db.execute("SELECT left(id::text, 8) AS name FROM notify.deployment").fetchone()
    assert found is not None
    return str(found["name"])


def test_a_copy_becomes_a_deployment_of_its_own(database: str, db: Db) -> None:
    """The worker's login may do it, and is told what was done."""
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
        "2 notifications that are not sent have new transaction ids.\n"
        "1 of them were being sent by the original and are due here again.\n"
    )
    assert row(db, made)["transaction_id"] != before


def test_while_workers_are_connected_a_copy_becomes_nothing(database: str, db: Db) -> None:
    """They would go on under the id that went."""
    former = short_id(db)
    with psycopg.connect(database, application_name="xnovu:worker"):
        ended = xnovu("db", "new-deployment", DATABASE_URL=database)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == ("xnovu: database: workers are connected (1 connections); stop them first\n")
    assert short_id(db) == former


def test_a_copy_keeps_the_deployment(database: str, db: Db) -> None:
    """And all of its rows as they are."""
    before, former = row(db, a_notification(db)), short_id(db)

    ended = xnovu("db", "keep-deployment", DATABASE_URL=database)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == f"Deployment {former} now lives in this database.\n"
    assert row(db, before["id"]) == before


def test_without_our_schema_there_is_nothing_to_decide(empty_database: str) -> None:
    """The same exit code as the worker's."""
    for command in ("new-deployment", "keep-deployment"):
        ended = xnovu("db", command, DATABASE_URL=empty_database)
        assert ended.returncode == 3
        assert "run `xnovu db upgrade`" in ended.stderr
