"""PostgreSQL is read-only, in recovery or by a setting: rows wait until it accepts writes again."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.disaster import assert_unharmed, at_work, due, wait_until_unhealthy
from tests.support.modes import only
from tests.support.novu import NovuStandIn
from tests.support.rows import Db, open_db
from xnovu_poller.dev.postgres import Postgres

Environment = Mapping[str, str]


@pytest.fixture
def database(own_database: str) -> str:
    """Put the worker's database on the server that the test stops."""
    return own_database


@only("single", because="every record waits for PostgreSQL in the same way")
def test_a_standby_waits_for_its_promotion(
    own_postgres: Postgres,
    database: str,
    worker_environment: Environment,
    novu_standin: NovuStandIn,
    tmp_path: Path,
) -> None:
    """In a failover the address leads to a standby that is promoted later."""
    with at_work(database, worker_environment, novu_standin, tmp_path) as (_, workflow, worker):
        own_postgres.stop()
        as_standby(own_postgres)
        own_postgres.start()
        novu_standin.clear_faults()
        wait_until_unhealthy(worker, "database", "it only reads")
        with open_db(database) as again:
            again.execute("SELECT pg_promote()")
            due(again, workflow)
            assert_unharmed(again, novu_standin, worker)


@only("single", because="every record waits for PostgreSQL in the same way")
def test_the_worker_waits_for_a_read_only_server(
    own_postgres: Postgres,
    database: str,
    worker_environment: Environment,
    novu_standin: NovuStandIn,
    tmp_path: Path,
) -> None:
    """Hosted servers do this when their disk is nearly full: sessions stay open, but refuse to write."""
    with at_work(database, worker_environment, novu_standin, tmp_path) as (db, workflow, worker):
        only_read(db, "on")
        novu_standin.clear_faults()
        wait_until_unhealthy(worker, "database", "it only reads")
        only_read(db, "off")
        due(db, workflow)
        assert_unharmed(db, novu_standin, worker)


def as_standby(server: Postgres) -> None:
    """Make the stopped server start in recovery."""
    (server.folder / "cluster" / "data" / "standby.signal").touch()


def only_read(db: Db, value: str) -> None:
    """Set every session, including open sessions, to read-only or back."""
    db.execute("SET default_transaction_read_only = off")
    db.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}".encode())
    db.execute("SELECT pg_reload_conf()")
