"""Somebody listens in an open transaction while NOTIFY floods: the queue fills, and no producer's commit may fail."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.support.postgres import migrated_copy, quick_server
from tests.support.rows import Db, a_notification, a_rule, a_workflow, engine_on, open_db
from xnovu_poller.store.checks import examine


@pytest.fixture
def small_queue() -> Iterator[str]:
    """Yield a migrated database on a server whose queue has half a megabyte; `max_notify_queue_pages` is of 17."""
    with quick_server(max_notify_queue_pages="64") as server, migrated_copy(server) as url:
        yield url


def fill(db: Db) -> None:
    """Notify until the queue takes no more."""
    for number in range(10_000):
        try:
            db.execute("SELECT pg_notify('xnovu_due', repeat('x', 7000) || %s)", [str(number)])
        except psycopg.errors.ProgramLimitExceeded:
            return
    raise AssertionError("the queue is never full")


async def test_commits_succeed_without_a_wake_up_and_the_doctor_finds_it(small_queue: str) -> None:
    """Otherwise every insert of every enterprise would fail."""
    with open_db(small_queue) as db, psycopg.connect(small_queue) as idler:
        idler.execute("LISTEN xnovu_due")
        idler.commit()
        idler.execute("SELECT 1")
        fill(db)
        with pytest.raises(psycopg.errors.ProgramLimitExceeded):
            db.execute("SELECT pg_notify('xnovu_due', repeat('y', 7000))")

        made = a_notification(db)
        workflow = a_workflow(db)
        a_rule(db, workflow=workflow)
        db.execute("UPDATE notify.ent_notification_rule SET deactivated = true")

        assert made
        async with engine_on(small_queue) as engine:
            assert "notify_queue_fills" in {finding.code for finding in await examine(engine)}
