"""A worker reports of itself to the database."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.rows import Db
from tests.unit.metrics.test_counts import Counted
from xnovu_poller.backpressure.gate import Gate
from xnovu_poller.errors import StoreUnavailable
from xnovu_poller.service.reporter import Reporter
from xnovu_poller.store.engine import Engine

HEALTH = {"status": "healthy", "components": {"novu": {"status": "degraded", "detail": "throttled"}}}


async def examine() -> Mapping[str, Any]:
    """Answer as /health does."""
    return HEALTH


async def test_work_is_counted_once(db: Db, engine: Engine) -> None:
    """What a report could not write, the next report has; what it has written, no other report has."""
    reporter = Reporter(engine, examine, examine, Gate(), Counted())
    db.execute("REVOKE INSERT ON notify.minute FROM xnovu_worker")
    with pytest.raises(Exception, match="permission denied"):
        await reporter.report(examine)
    db.execute("GRANT INSERT ON notify.minute TO xnovu_worker")

    await reporter.report(examine)
    await reporter.report(examine)

    counted = db.execute("SELECT sum(sent) AS sent, sum(dead) AS dead FROM notify.minute").fetchone()
    assert counted == {"sent": 3, "dead": 3}
    (report,) = db.execute("SELECT health, gate FROM notify.worker_report")
    assert report["health"] == HEALTH
    assert (report["gate"]["closed"], report["gate"]["breakers"]) == (False, [])
    await reporter.withdraw()
    assert db.execute("SELECT FROM notify.worker_report").rowcount == 0


async def test_what_a_stop_finishes_is_counted(db: Db, engine: Engine) -> None:
    """The report is withdrawn before the running work has ended, and once more only if that work counts."""
    counted = Counted()
    reporter = Reporter(engine, examine, examine, Gate(), counted)
    await reporter.withdraw()
    await reporter.withdraw_again()
    assert _sent(db) == 3
    assert db.execute("SELECT FROM notify.worker_report").rowcount == 0

    counted.sent += 2
    await reporter.withdraw_again()
    assert _sent(db) == 5
    assert db.execute("SELECT FROM notify.worker_report").rowcount == 0


def _sent(db: Db) -> int:
    found = db.execute("SELECT sum(sent)::int AS sent FROM notify.minute").fetchone()
    assert found
    sent: int = found["sent"]
    return sent


async def test_a_stop_goes_on_without_the_database(engine: Engine) -> None:
    """The report stays then; the page shows for how long the worker has been silent."""

    async def fail() -> Mapping[str, Any]:
        raise StoreUnavailable("down")

    await Reporter(engine, fail, fail, Gate(), Counted()).withdraw()
