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
from tests.support.worker import WorkerProgram, running_worker
from xnovu_poller.lifecycle import Status
from xnovu_poller.store.engine import Engine

Environment = Mapping[str, str]

COUNTERS = """
SELECT count(*) AS rows, sum(failure_count) AS failures, sum(unknown_outcomes) AS unknown, sum(lapses) AS lapses
FROM notify.ent_notification WHERE notification_status = %s"""


def test_claims_stop_until_a_worker_has_the_right_key(
    db: Db, mode: Mode, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """After the first 401 no call is made; a restart with the new key sends everything."""
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
        turns = count_turns(worker)
        wait_until(lambda: count_turns(worker) >= turns + 2)
        assert db.execute(COUNTERS, ["PENDING"]).fetchone() == {
            "rows": 4 + len(made),
            "failures": 0,
            "unknown": 0,
            "lapses": 0,
        }
        # One row of a group is tried by itself, because the key might be refused only for the bulk call.
        assert novu_standin.stats()["calls"] == 2 + mode.grouped
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


def count_turns(worker: WorkerProgram) -> int:
    """Return the number of turns of the loop for new rows."""
    turns: int = worker.get_status()["loops"]["new"]["turns"]
    return turns


async def test_the_same_process_resumes_when_the_old_key_is_valid_again(
    engine: Engine, db: Db, mode: Mode, novu_standin: NovuStandIn
) -> None:
    """It probes with one notification after half a minute, then after a minute, and so on."""
    workflow, clock = a_workflow(db), Clock()
    novu_standin.switch(secret_key="another")
    for _ in range(7):
        a_notification(db, workflow=workflow)
    spans = []
    async with replica(engine, novu_standin, clock, group_size=mode.size) as worker:
        for _ in range(5):
            assert set((await worker.turn())[0]) == {Status.PENDING}
            spans.append(worker.gate.pause.total_seconds())
            assert (worker.gate.stopped, (await worker.turn())[0]) == (True, [])
            clock.advance(worker.gate.pause)
        novu_standin.switch(secret_key=None)
        assert [(await worker.turn())[0] for _ in range(3)] == [[Status.SENT] * count for count in (1, 2, 4)]
        assert (worker.gate.stopped, worker.gate.reason, worker.gate.pause) == (False, None, timedelta(0))

    assert spans == [30, 60, 120, 240, 300]
    assert_kept(db, novu_standin)
