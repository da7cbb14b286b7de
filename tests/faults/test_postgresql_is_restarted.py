"""PostgreSQL restarts while a send is under way, by a clean stop and by a crash: no row suffers."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.support.disaster import (
    SOON,
    assert_unharmed,
    crash,
    due,
    send_under_way,
    sent,
    wait_until_unhealthy,
)
from tests.support.modes import mode_of
from tests.support.novu import NovuStandIn
from tests.support.rows import a_workflow, open_db
from tests.support.worker import running_worker
from xnovu_poller.dev.postgres import Postgres

Environment = Mapping[str, str]


@pytest.fixture
def database(own_database: str) -> str:
    """Put the worker's database on the server that the test stops."""
    return own_database


def stop_in_order(server: Postgres) -> None:
    """End every session, write a checkpoint, and stop."""
    server.stop()


@pytest.mark.parametrize("strike", [stop_in_order, crash])
def test_an_acceptance_during_the_restart_is_recorded_afterwards(
    own_postgres: Postgres,
    database: str,
    worker_environment: Environment,
    novu_standin: NovuStandIn,
    tmp_path: Path,
    strike: Callable[[Postgres], None],
) -> None:
    """The worker reports that the database does not answer, waits, and resumes by itself."""
    with open_db(database) as db, running_worker(tmp_path, **worker_environment, **SOON) as worker:
        workflow = a_workflow(db)
        sent(db, due(db, workflow))
        send_under_way(db, workflow, novu_standin, mode_of(worker_environment))
        strike(own_postgres)
        novu_standin.clear_faults()
        wait_until_unhealthy(worker, "database", "does not answer")
        own_postgres.start()
        with open_db(database) as again:
            due(again, workflow)
            assert_unharmed(again, novu_standin, worker)
