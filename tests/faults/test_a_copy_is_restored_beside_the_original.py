"""A copy of the database is restored, and a worker starts on it."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from temporalio.client import Client

from tests.support.copies import copied, copied_by_files
from tests.support.forked import xnovu
from tests.support.modes import Mode, only
from tests.support.novu import NovuStandIn
from tests.support.postgres import migrated_copy
from tests.support.promise import assert_kept, until_settled
from tests.support.rows import a_notification, a_workflow, open_db
from tests.support.waiting import eventually
from tests.support.worker import deliveries, running_worker
from xnovu_poller.dev.postgres import Postgres

Environment = Mapping[str, str]

# No call times out and is repeated, because the test counts the repeats.
QUICK = {"LEASE_MS": "2000", "FAILED_POLL_INTERVAL_MS": "200", "NOVU_TIMEOUT_MS": "100000"}


@pytest.fixture
def original(postgres_server: Postgres) -> Iterator[str]:
    """Return the URL of a database with two due notifications and no connection."""
    with migrated_copy(postgres_server) as url:
        with open_db(url) as db:
            workflow = a_workflow(db)
            for _ in range(2):
                a_notification(db, workflow=workflow)
        yield url


def send_all(url: str, environment: Environment, folder: Path, name: str, *, more: int = 0) -> None:
    """Run a worker on this database until everything due is sent; insert more rows before it starts."""
    with open_db(url) as db:
        for _ in range(more):
            a_notification(db, workflow=1)
        with running_worker(folder, name, **{**environment, **QUICK, "DATABASE_URL": url}) as worker:
            until_settled(db)
            assert worker.stop() == 0


def refused(url: str, environment: Environment, folder: Path) -> str:
    """Start a worker that refuses to run; return its log."""
    with running_worker(folder, "refused", **{**environment, "DATABASE_URL": url}) as worker:
        assert worker.ended() == 1
        return worker.log.read_text()


async def until_seen(address: str, count: int, url: str) -> None:
    """Wait until Temporal lists this many workflows of this database's deployment: its visibility lags."""
    with open_db(url) as db:
        found = db.execute("SELECT left(id::text, 8) AS name FROM notify.deployment").fetchone()
    assert found is not None
    client = await Client.connect(address)

    async def all_seen() -> bool:
        query = f"WorkflowId STARTS_WITH '{found['name']}-notification'"
        return (await client.count_workflows(query)).count >= count

    await eventually(all_seen)


async def test_the_original_lives_on_beside_it(
    postgres_server: Postgres,
    original: str,
    mode: Mode,
    worker_environment: Environment,
    novu_standin: NovuStandIn,
    tmp_path: Path,
) -> None:
    """Even a copy of the data files notices that the original has gone on; afterwards each sends its own rows."""
    with copied_by_files(postgres_server, original) as copy:
        send_all(original, worker_environment, tmp_path, "original", more=1)
        await until_seen(worker_environment["TEMPORAL_ADDRESS"], 1 if mode.grouped else 3, original)
        with open_db(copy) as db:
            before = db.execute("SELECT * FROM notify.ent_notification").fetchall()
            log = refused(copy, worker_environment, tmp_path)
            assert db.execute("SELECT * FROM notify.ent_notification").fetchall() == before
        assert "(Temporal knows attempt 1 of notification " in log
        assert "run `xnovu db new-deployment` if the original is still in use" in log
        assert "Traceback" not in log

        assert xnovu("db", "new-deployment", DATABASE_URL=copy).returncode == 0
        send_all(copy, worker_environment, tmp_path, "copy")

        for url, count in ((original, 3), (copy, 2)):
            with open_db(url) as db:
                assert_kept(db, novu_standin)
                assert deliveries(db, novu_standin) == [1] * count
    assert novu_standin.stats()["deliveries"] == 5


@only("single", because="the other test shows how the traces of groups are read")
async def test_it_has_replaced_the_original(
    postgres_server: Postgres,
    original: str,
    worker_environment: Environment,
    novu_standin: NovuStandIn,
    tmp_path: Path,
) -> None:
    """The deployment goes on in the copy, and nobody gets again what the original has sent since."""
    with copied(postgres_server, original) as copy:
        send_all(original, worker_environment, tmp_path, "original")
        await until_seen(worker_environment["TEMPORAL_ADDRESS"], 2, original)
        log = refused(copy, worker_environment, tmp_path)
        assert "(its rows came from another database or server)" in log
        assert "`xnovu db keep-deployment` if this copy has replaced it" in log

        assert xnovu("db", "keep-deployment", DATABASE_URL=copy).returncode == 0
        send_all(copy, worker_environment, tmp_path, "copy", more=1)

        with open_db(copy) as db:
            assert_kept(db, novu_standin)
            assert deliveries(db, novu_standin) == [1] * 3
    assert novu_standin.stats()["deliveries"] == 3
    assert novu_standin.stats()["dropped"] == 2
