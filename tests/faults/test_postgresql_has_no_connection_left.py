"""PostgreSQL has no connection left for the worker: the worker reports it, and resumes when there is one."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from psycopg import sql

from tests.support.disaster import SOON, assert_unharmed, due, send_under_way, sent, wait_until_unhealthy
from tests.support.logins import a_login, without_login
from tests.support.modes import Mode
from tests.support.novu import NovuStandIn
from tests.support.rows import Db, a_workflow
from tests.support.worker import running_worker
from xnovu_poller.store.session import ROLE

Environment = Mapping[str, str]

TERMINATE = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
    " WHERE application_name LIKE 'xnovu:%' AND datname = current_database()"
)


@pytest.fixture
def login(database: str) -> Iterator[str]:
    """Return the URL of a login that only this worker uses."""
    made = a_login(database, ROLE)
    yield made
    without_login(database, made)


def limited_to(count: int, login: str, db: Db) -> None:
    """Allow a login this many connections; -1 means no limit."""
    name = sql.Identifier(login.partition("://")[2].partition(":")[0])
    db.execute(sql.SQL("ALTER ROLE {} CONNECTION LIMIT {}").format(name, sql.Literal(count)))


def test_the_worker_waits_for_a_connection(
    login: str, db: Db, mode: Mode, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """An acceptance of the meantime is recorded as soon as there is a connection again."""
    environment = {**worker_environment, **SOON, "DATABASE_URL": login}
    with running_worker(tmp_path, **environment) as worker:
        workflow = a_workflow(db)
        sent(db, due(db, workflow))
        send_under_way(db, workflow, novu_standin, mode)
        limited_to(0, login, db)
        assert db.execute(TERMINATE).rowcount
        novu_standin.clear_faults()
        due(db, workflow)
        wait_until_unhealthy(worker, "database", "too many connections")
        limited_to(-1, login, db)
        assert_unharmed(db, novu_standin, worker)
