"""Novu's key changes while a worker runs: claims stop and /health shows it; nothing fails, and sending resumes."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from tests.support.clock import Clock
from tests.support.gated import replica
from tests.support.modes import Mode, together
from tests.support.novu import NovuStandIn
from tests.support.promise import assert_kept, until_settled
from tests.support.rows import Db, a_notification, a_workflow, row
from tests.support.waiting import wait_until
from tests.support.worker import running_worker
from xnovu_poller.store.engine import Engine

Environment = Mapping[str, str]

UNSENT = "SELECT count(*) AS rows FROM notify.ent_notification WHERE notification_status <> 'SENT'"

UNHARMED = """
SELECT count(*) AS rows, sum(failure_count + unknown_outcomes + lapses)::int AS harm FROM notify.ent_notification"""

COUNTERS = """
SELECT count(*) AS rows, sum(failure_count) AS failures, sum(unknown_outcomes) AS unknown, sum(lapses) AS lapses
FROM notify.ent_notification WHERE notification_status = %s"""


def test_claims_stop_until_a_worker_has_the_right_key(
    db: Db, mode: Mode, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """Nothing counts against a row, and each that was tried shows why it waits; a restart with the new key sends everything."""
    novu_standin.switch(secret_key="key-1")
    workflow = a_workflow(db)
    before = a_notification(db, workflow=workflow)
    with running_worker(tmp_path, **worker_environment) as worker:
        wait_until(lambda: row(db, before)["notification_status"] == "SENT")
        novu_standin.switch(secret_key="key-2")
        made = together(db, mode, workflow)
        wait_until(lambda: worker.get_status()["gate"]["stopped"])
        for number in range(4):
            a_notification(db, workflow=workflow, enterprise=f"e{number}")
        wait_until(lambda: worker.get("health").status_code == 503)
        assert worker.component("novu") == {
            "status": "unhealthy",
            "detail": "Novu: answers 401; check NOVU_SECRET_KEY and NOVU_API_URL",
        }
        wait_until(lambda: "novu_unauthorized" in waiting_for(db))
        assert db.execute(UNHARMED).fetchone() == {"rows": 5 + len(made), "harm": 0}
        assert worker.stop() == 0
    with running_worker(tmp_path, "again", **worker_environment, NOVU_SECRET_KEY="key-2") as worker:
        until_settled(db)
        wait_until(lambda: worker.get("health").status_code == 200)

    assert db.execute(COUNTERS, ["SENT"]).fetchone() == {
        "rows": 5 + len(made),
        "failures": 0,
        "unknown": 0,
        "lapses": 0,
    }
    assert_kept(db, novu_standin)


def waiting_for(db: Db) -> set[str]:
    """Return the codes of the rows that were tried and wait."""
    found = db.execute(
        "SELECT DISTINCT error_details->>'code' AS code FROM notify.ent_notification WHERE error_details IS NOT NULL"
    )
    return {state["code"] for state in found}


async def test_the_same_process_resumes_when_the_old_key_is_valid_again(
    engine: Engine, db: Db, mode: Mode, novu_standin: NovuStandIn
) -> None:
    """Each probe is another notification, and a notification that was refused twice lets the others go first."""
    workflow, clock = a_workflow(db), Clock()
    novu_standin.switch(secret_key="another")
    for number in range(7):
        a_notification(db, workflow=workflow, enterprise=f"e{number % 2}")
    spans: list[float] = []
    async with replica(engine, novu_standin, clock, group_size=mode.size) as worker:
        while len(spans) < 8:
            await worker.turn()
            await worker.retry(db)
            assert worker.gate.stopped
            if worker.gate.closed:
                spans.append(worker.gate.pause.total_seconds())
                assert (await worker.turn())[0] == []
                clock.advance(worker.gate.pause)
        novu_standin.switch(secret_key=None)
        while db.execute(UNSENT).fetchone() != {"rows": 0}:
            await worker.turn()
            await worker.retry(db)
        assert (worker.gate.stopped, worker.gate.reason, worker.gate.pause) == (False, None, timedelta(0))

    assert spans == [1, 2, 4, 8, 16, 32, 60, 60]
    assert db.execute(UNHARMED).fetchone() == {"rows": 7, "harm": 0}
    assert_kept(db, novu_standin)
