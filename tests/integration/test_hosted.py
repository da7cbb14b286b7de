"""A hosted PostgreSQL, as Supabase gives it: the owner is no superuser, and the address is a literal of IPv6."""

import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from tests.support.forked import xnovu
from tests.support.novu import NovuStandIn
from tests.support.postgres import quick_server
from tests.support.promise import until_settled
from tests.support.rows import a_workflow, open_db
from tests.support.worker import running_worker
from xnovu_poller.dev.ports import LOOPBACK

OWNER = "NOSUPERUSER CREATEROLE CREATEDB REPLICATION BYPASSRLS"
"""The rights of the login `postgres` on Supabase."""


def literal() -> tuple[str, str]:
    """Return the loopback's address and its form in a URL; that of IPv4 if this machine has no other."""
    with suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        return "::1", "[::1]"
    return LOOPBACK, LOOPBACK


@pytest.fixture
def place() -> Iterator[str]:
    """Yield host, port and database of an empty database that the login `owner` owns."""
    address, host = literal()
    with quick_server(listen_addresses=f"{LOOPBACK},{address}") as server:
        with psycopg.connect(server.url(), autocommit=True) as admin:
            admin.execute(f"CREATE ROLE owner LOGIN PASSWORD 'plain' {OWNER}".encode())
            admin.execute("CREATE DATABASE app OWNER owner")
        yield f"{host}:{server.port}/app"


def test_its_owner_migrates_and_makes_the_workers_login(
    place: str, worker_environment: Mapping[str, str], novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """No administrator is needed, and the worker sends."""
    owner = f"postgresql://owner:plain@{place}"
    migrated = xnovu("db", "upgrade", DATABASE_URL=owner)
    assert migrated.returncode == 0, migrated.stderr
    environment = {**worker_environment, "DATABASE_URL": f"postgresql://worker:plain@{place}"}

    with open_db(owner) as db:
        db.execute("CREATE ROLE worker LOGIN PASSWORD 'plain' IN ROLE xnovu_worker")
        a_workflow(db)
        with running_worker(tmp_path, **environment) as worker:
            db.execute("SELECT notify.enqueue('acme', 'order-shipped', '{user-17}', '{}')")
            until_settled(db)
            assert novu_standin.stats()["deliveries"] == 1
            assert worker.stop() == 0
        assert db.execute("SELECT notification_status AS state FROM notify.ent_notification").fetchone() == {
            "state": "SENT"
        }
