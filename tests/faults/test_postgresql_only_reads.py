"""PostgreSQL reads and does not write, in recovery or by order: rows wait until it writes again."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.disaster import assert_unharmed, at_work, due, said
from tests.support.modes import only
from tests.support.novu import NovuStandIn
from tests.support.rows import Db, open_db
from xnovu_poller.dev.postgres import Postgres

Told = Mapping[str, str]


@pytest.fixture
def database(own_database: str) -> str:
    """Let the worker work on the server that is struck."""
    return own_database


@only("single", because="who records waits for PostgreSQL in one way, whatever is to be recorded")
def test_a_standby_waits_for_its_promotion(
    own_postgres: Postgres,
    database: str,
    worker_environment: Told,
    novu_standin: NovuStandIn,
    tmp_path: Path,
) -> None:
    """A failover: the address leads to a standby that follows everything, and is promoted later."""
    with at_work(database, worker_environment, novu_standin, tmp_path) as (_, workflow, worker):
        own_postgres.stop()
        as_standby(own_postgres)
        own_postgres.start()
        novu_standin.clear_faults()
        said(worker, "database", "only reads")
        with open_db(database) as again:
            again.execute("SELECT pg_promote()")
            due(again, workflow)
            assert_unharmed(again, novu_standin, worker)


@only("single", because="who records waits for PostgreSQL in one way, whatever is to be recorded")
def test_a_server_told_only_to_read_is_waited_for(
    own_postgres: Postgres,
    database: str,
    worker_environment: Told,
    novu_standin: NovuStandIn,
    tmp_path: Path,
) -> None:
    """As hosted ones do when their disk is nearly full: every session lives on, and refuses to write."""
    with at_work(database, worker_environment, novu_standin, tmp_path) as (db, workflow, worker):
        only_read(db, "on")
        novu_standin.clear_faults()
        said(worker, "database", "only reads")
        only_read(db, "off")
        due(db, workflow)
        assert_unharmed(db, novu_standin, worker)


def as_standby(server: Postgres) -> None:
    """Let the stopped server come up in recovery."""
    (server.folder / "cluster" / "data" / "standby.signal").touch()


def only_read(db: Db, value: str) -> None:
    """Tell every session, those that are open too."""
    db.execute("SET default_transaction_read_only = off")
    db.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}".encode())
    db.execute("SELECT pg_reload_conf()")
