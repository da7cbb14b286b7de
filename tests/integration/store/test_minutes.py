"""The minutes of the last days."""

from datetime import timedelta

from tests.support.rows import Db
from xnovu_poller.store import minutes, worker_reports
from xnovu_poller.store.engine import Engine

DUE = {"new": 3, "scheduled": 0, "failed": 1}
OLDEST = {"new": 4.0, "scheduled": None, "failed": 9.0}


async def test_a_minute_has_what_waits_and_what_was_done(db: Db, engine: Engine) -> None:
    """The chore and the workers write the same row; old rows go."""
    db.execute("INSERT INTO notify.minute (began_at, sent) VALUES (now() - interval '4 days', 1)")
    # The fields that two writers share would be lost if either replaced the row.
    await worker_reports.report(engine, {}, {}, {"sent": 5, "failed": 1, "dead": 0})
    await minutes.record_backlog(engine, DUE, 2, OLDEST)
    await worker_reports.report(engine, {}, {}, {"sent": 2, "failed": 0, "dead": 1})

    found = await minutes.read_minutes(engine, timedelta(hours=1))

    # The minute may have ended meanwhile.
    assert (sum(each.sent for each in found), sum(each.failed for each in found)) == (7, 1)
    counted = next(each for each in found if each.waiting is not None)
    assert (counted.waiting, counted.in_flight, counted.oldest_due_seconds) == (4, 2, 9.0)
    assert db.execute("SELECT FROM notify.minute WHERE began_at < now() - interval '3 days'").rowcount == 0
