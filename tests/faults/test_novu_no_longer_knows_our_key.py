"""Novu's key is changed while a worker runs: claims stop and /health says so; nothing fails, and all goes on."""

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
from xnovu_poller.lifecycle import Status, seconds
from xnovu_poller.store.engine import Engine

Told = Mapping[str, str]

COUNTERS = """
SELECT count(*) AS rows, sum(failure_count) AS failures, sum(unknown_outcomes) AS unknown, sum(lapses) AS lapses
FROM notify.ent_notification WHERE notification_status = %s"""


def test_claims_stop_until_a_worker_has_the_right_key(
    db: Db, mode: Mode, worker_environment: Told, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """After the first 401 nobody is asked any more; a restart with the new key sends all."""
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
        turns = turned(worker)
        wait_until(lambda: turned(worker) >= turns + 2)
        assert db.execute(COUNTERS, ["PENDING"]).fetchone() == {
            "rows": 4 + len(made),
            "failures": 0,
            "unknown": 0,
            "lapses": 0,
        }
        # Of a group one is tried alone, lest it be the bulk call that the key may not make.
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


def turned(worker: WorkerProgram) -> int:
    """Count the turns of the new loop."""
    turns: int = worker.get_status()["loops"]["new"]["turns"]
    return turns


async def test_the_same_process_goes_on_when_the_old_key_is_good_again(
    engine: Engine, db: Db, mode: Mode, novu_standin: NovuStandIn
) -> None:
    """It asks again with one notification, half a minute later, then a minute later, and so on."""
    workflow, clock = a_workflow(db), Clock()
    novu_standin.switch(secret_key="another")
    for _ in range(7):
        a_notification(db, workflow=workflow)
    spans = []
    async with replica(engine, novu_standin, clock, group_size=mode.size) as one:
        for _ in range(5):
            assert set((await one.turn())[0]) == {Status.PENDING}
            spans.append(seconds(one.gate.pause))
            assert (one.gate.stopped, (await one.turn())[0]) == (True, [])
            clock.advance(one.gate.pause)
        novu_standin.switch(secret_key=None)
        assert [(await one.turn())[0] for _ in range(3)] == [[Status.SENT] * count for count in (1, 2, 4)]
        assert (one.gate.stopped, one.gate.reason, one.gate.pause) == (False, None, timedelta(0))

    assert spans == [30, 60, 120, 240, 300]
    assert_kept(db, novu_standin)
