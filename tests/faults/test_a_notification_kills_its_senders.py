"""A notification kills every process that sends it, as a crash in a C library would."""

import signal
from collections.abc import Mapping
from pathlib import Path

from tests.support.deaths import OFTEN, given_up
from tests.support.fragile import die_of_poison
from tests.support.modes import only
from tests.support.novu import NovuStandIn
from tests.support.promise import assert_kept, unsettled, until_settled
from tests.support.rows import Db, a_notification, a_workflow, row
from tests.support.waiting import wait_until
from tests.support.worker import running_worker

NEIGHBOURS = 20

DEATHS = 4
"""Three lapses may have other causes; the fourth is final."""


@only("group", because="a row by itself has no neighbours")
async def test_it_ends_dead_and_its_neighbours_are_sent(
    db: Db, worker_environment: Mapping[str, str], novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """After each death the replica starts again; the last start stays up, and each neighbour is sent by itself.

    The deaths are certain because the process dies in the very call; the test skips the time-outs that follow.
    """
    workflow = a_workflow(db)
    with db.transaction():
        neighbours = [a_notification(db, workflow=workflow) for _ in range(NEIGHBOURS // 2)]
        poison = a_notification(db, workflow=workflow, payload={"note": "poison"})
        neighbours += [a_notification(db, workflow=workflow) for _ in range(NEIGHBOURS // 2)]
    environment = {**worker_environment, **OFTEN}
    for death in range(DEATHS):
        with running_worker(tmp_path, f"life-{death}", die_of_poison, **environment) as worker:
            assert worker.ended() == -signal.SIGKILL
        await given_up(db, worker_environment["TEMPORAL_ADDRESS"])
    with running_worker(tmp_path, "last-life", die_of_poison, **environment) as worker:
        until_settled(db)
        later = a_notification(db, workflow=workflow)
        wait_until(lambda: not unsettled(db))
        assert worker.stop() == 0

    ended = row(db, poison)
    assert (ended["notification_status"], ended["lapses"]) == ("DEAD", DEATHS)
    assert ended["error_details"]["code"] == "poison"
    assert {row(db, notification_id)["notification_status"] for notification_id in [*neighbours, later]} == {
        "SENT"
    }
    assert {row(db, notification_id)["lapses"] for notification_id in neighbours} == {1}
    assert_kept(db, novu_standin)
