"""A dump is taken while a worker sends; the database is lost, the dump is restored, and a worker goes on."""

import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.copies import dump, restored
from tests.support.forked import xnovu
from tests.support.modes import only
from tests.support.novu import NovuStandIn
from tests.support.postgres import migrated_copy
from tests.support.promise import assert_kept, until_settled
from tests.support.rows import Db, a_notification, a_workflow, open_db
from tests.support.waiting import wait_until
from tests.support.worker import running_worker
from xnovu_poller.dev.postgres import Postgres

SENT, LATER = 20, 5

NOT_SENT = "SELECT id FROM notify.ent_notification WHERE notification_status <> 'SENT' ORDER BY id"
COME_DUE = "UPDATE notify.ent_notification SET scheduled_for = now() WHERE notification_status = 'PENDING'"


def not_sent(db: Db) -> list[int]:
    """Return the notifications that are not recorded as SENT."""
    return [row["id"] for row in db.execute(NOT_SENT).fetchall()]


@pytest.fixture
def environment(worker_environment: Mapping[str, str]) -> dict[str, str]:
    """Return the settings of a worker without its database."""
    # No call times out and is repeated, because the test counts the repeats.
    quick = {"LEASE_MS": "2000", "FAILED_POLL_INTERVAL_MS": "200", "NOVU_TIMEOUT_MS": "100000"}
    return {**worker_environment, **quick}


@pytest.fixture
def backup(postgres_server: Postgres, environment: Mapping[str, str], tmp_path: Path) -> Iterator[Path]:
    """Dump a database with SENT and other notifications; it goes on for a while, and its worker is killed."""
    file = tmp_path / "backup.dump"
    with migrated_copy(postgres_server) as url, open_db(url) as db:
        workflow = a_workflow(db)
        for _ in range(LATER):
            a_notification(db, workflow=workflow, scheduled_for="2100-01-01")
        for _ in range(SENT):
            a_notification(db, workflow=workflow)
        with running_worker(tmp_path, "lost", **{**environment, "DATABASE_URL": url}) as worker:
            wait_until(lambda: len(not_sent(db)) == LATER)
            dump(url, file, lambda: a_notification(db, workflow=workflow))
            db.execute(COME_DUE)
            until_settled(db)
            worker.ask(signal.SIGKILL)
            worker.ended()
        yield file


@only("auto", because="the copies of a database are tried in both ways")
def test_a_worker_goes_on(
    postgres_server: Postgres,
    environment: Mapping[str, str],
    novu_standin: NovuStandIn,
    backup: Path,
    tmp_path: Path,
) -> None:
    """What the dump has as SENT is not sent again; the rest is, under its transaction id, so that Novu drops it."""
    with restored(postgres_server, backup) as url, open_db(url) as db:
        again = not_sent(db)
        assert len(again) >= LATER
        assert db.execute("SELECT FROM notify.ent_notification").rowcount >= SENT + len(again)
        db.execute(COME_DUE)
        assert novu_standin.stats()["dropped"] == 0

        assert xnovu("db", "keep-deployment", DATABASE_URL=url).returncode == 0
        with running_worker(tmp_path, "restored", **{**environment, "DATABASE_URL": url}) as worker:
            until_settled(db)
            assert worker.stop() == 0

        assert_kept(db, novu_standin)
        assert novu_standin.stats()["dropped"] == len(again)
