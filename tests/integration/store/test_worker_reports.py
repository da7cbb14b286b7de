"""What workers report of themselves."""

from tests.support.rows import Db
from xnovu_poller import __version__
from xnovu_poller.incidents import name_process
from xnovu_poller.store import worker_reports
from xnovu_poller.store.engine import Engine

NOTHING = {"sent": 0, "failed": 0, "dead": 0}


async def test_a_report_replaces_the_last(db: Db, engine: Engine) -> None:
    """The beginning stays; workers of a day ago are forgotten; a worker that stops withdraws its own."""
    db.execute(
        "INSERT INTO notify.worker_report (worker, version, reported_at, health, gate)"
        " VALUES ('gone', '0', now() - interval '2 days', '{}', '{}')"
    )
    await worker_reports.report(engine, {"status": "healthy"}, {"closed": False}, NOTHING)
    (first,) = await worker_reports.read_workers(engine)

    await worker_reports.report(engine, {"status": "degraded"}, {"closed": True}, NOTHING)

    (second,) = await worker_reports.read_workers(engine)
    assert (second.worker, second.version) == (name_process(), __version__)
    assert (second.health, second.gate) == ({"status": "degraded"}, {"closed": True})
    assert second.started_at == first.started_at
    await worker_reports.withdraw(engine)
    assert await worker_reports.read_workers(engine) == []
