"""`xnovu db`: to the newest schema and back, and what it says when it cannot."""

from tests.support.rows import open_db
from tests.support.worker import xnovu
from xnovu_poller.dev.ports import LOOPBACK, free_port

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
