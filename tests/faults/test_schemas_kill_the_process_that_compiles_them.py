"""Several schemas of an enterprise kill every process that compiles them, as a bug in a C library would."""

import signal
from collections.abc import Mapping
from pathlib import Path

from tests.support.deaths import OFTEN, given_up
from tests.support.fragile import die_of_title
from tests.support.modes import only
from tests.support.novu import NovuStandIn
from tests.support.promise import assert_kept, unsettled
from tests.support.rows import Db, a_notification, a_workflow, row
from tests.support.waiting import wait_until
from tests.support.worker import WorkerProgram, running_worker

DEADLY, NEIGHBOURS = 2, 10

DEATHS = 4
"""Three lapses may have other causes; the fourth is final."""


@only("group", because="only a group has neighbours that could die with them")
async def test_each_ends_dead_and_no_neighbour_does(
    db: Db, worker_environment: Mapping[str, str], novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """A single process without children dies and starts again, until both rows are DEAD.

    They may die together only the first time; afterwards each runs by itself, so the fault is theirs.
    """
    deadly = [
        a_workflow(db, enterprise="evil", key=f"deadly-{n}", payload_schema={"title": f"deadly {n}"})
        for n in range(DEADLY)
    ]
    plain = a_workflow(db, payload_schema={"title": "harmless"})
    with db.transaction():
        neighbours = [a_notification(db, workflow=plain) for _ in range(NEIGHBOURS // 2)]
        killers = [a_notification(db, enterprise="evil", workflow=workflow) for workflow in deadly]
        neighbours += [a_notification(db, workflow=plain) for _ in range(NEIGHBOURS // 2)]
    environment = {**worker_environment, **OFTEN}

    # A schema kills the check of its workflow too, once.
    for life in range(DEADLY * (DEATHS + 1) + 1):
        with running_worker(tmp_path, f"life-{life}", die_of_title, **environment) as worker:
            # The check of a workflow may still kill a worker that stops.
            if _ends_all(db, worker) and worker.stop() == 0:
                break
            assert worker.ended() == -signal.SIGKILL
        await given_up(db, worker_environment["TEMPORAL_ADDRESS"])

    for killer in killers:
        ended = row(db, killer)
        assert (ended["notification_status"], ended["error_details"]["code"]) == ("DEAD", "poison")
        assert ended["lapses"] == DEATHS
    assert {row(db, id_)["notification_status"] for id_ in neighbours} == {"SENT"}
    assert_kept(db, novu_standin)


def _ends_all(db: Db, worker: WorkerProgram) -> bool:
    """Return whether every notification has ended; False if the worker died before."""
    wait_until(lambda: not unsettled(db) or worker.child.poll() is not None)
    return not unsettled(db)
