"""A workflow is terminated in Temporal while its activity sends."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from temporalio.client import Client

from tests.support.deaths import HASTY, PATIENT, given_up
from tests.support.modes import Mode, together
from tests.support.novu import NovuStandIn
from tests.support.promise import assert_kept, until_settled
from tests.support.rows import Db, a_workflow, back_dated, row
from tests.support.silent import silent_proxy
from tests.support.waiting import eventually, wait_until
from tests.support.worker import WorkerProgram, running_worker

Environment = Mapping[str, str]

RECORD = b"{%d-" % datetime.now(UTC).year
"""The parameter of a record that names the moments of its holds; its text travels only once, when it is prepared."""


def until_rescue_turned(worker: WorkerProgram) -> None:
    """Wait until the rescue has made a complete turn that begins after this call."""

    def turns() -> int:
        return int(worker.get_status()["loops"]["rescue"]["turns"])

    before = turns()
    wait_until(lambda: turns() > before + 1)


async def test_the_surviving_send_is_recorded_and_no_other_begins(
    db: Db, mode: Mode, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """The lease has lapsed and the workflow is gone, but the hold of a live send still keeps others out.

    The order is certain because the call lasts until the rescue has looked.
    """
    client = await Client.connect(worker_environment["TEMPORAL_ADDRESS"])
    novu_standin.fault("slow", seconds=60)
    with running_worker(tmp_path, **{**worker_environment, **HASTY, **PATIENT}) as worker:
        made = together(db, mode, a_workflow(db))
        wait_until(lambda: novu_standin.stats()["calls"] == 1)
        await client.get_workflow_handle(row(db, made[0])["temporal_workflow_id"]).terminate("by hand")
        for notification_id in made:
            back_dated(db, notification_id)
        until_rescue_turned(worker)
        assert {row(db, notification_id)["attempt"] for notification_id in made} == {1}
        novu_standin.clear_faults()
        until_settled(db)
        assert worker.stop() == 0

    ended = [row(db, notification_id) for notification_id in made]
    assert {(found["notification_status"], found["attempt"], found["lapses"]) for found in ended} == {
        ("SENT", 1, 0)
    }
    assert novu_standin.stats()["calls"] == 1
    assert_kept(db, novu_standin)


async def test_a_late_record_does_not_change_the_next_attempt(
    db: Db, mode: Mode, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """The hold had lapsed and the row was claimed again: the record names an attempt that is over, so it changes nothing.

    The order is certain: the record is held back before PostgreSQL until the next attempt's call is under
    way, and that call lasts until the record has arrived.
    """
    database = worker_environment["DATABASE_URL"]
    async with silent_proxy(database) as proxy:
        through = {**worker_environment, "DATABASE_URL": proxy.through(database)}
        with running_worker(tmp_path, **{**through, **HASTY, **PATIENT}) as worker:
            await asyncio.to_thread(worker.until_logged, "worker started")
            proxy.hold_at(RECORD)
            made = together(db, mode, a_workflow(db))
            await eventually(lambda: proxy.held == 1)
            novu_standin.fault("slow", seconds=60)
            await given_up(db, worker_environment["TEMPORAL_ADDRESS"])
            await eventually(lambda: novu_standin.stats()["calls"] == 2)
            before = [row(db, notification_id) for notification_id in made]
            proxy.release()
            late = await asyncio.to_thread(worker.until_logged, "notifications sent")
            assert (late["sent"], late["late"]) == (0, len(made))
            assert [row(db, notification_id) for notification_id in made] == before
            novu_standin.clear_faults()
            await asyncio.to_thread(until_settled, db)
            assert await asyncio.to_thread(worker.stop) == 0

    assert {found["attempt"] for found in before} == {2}
    assert {row(db, notification_id)["lapses"] for notification_id in made} == {1}
    assert novu_standin.stats()["triggers"] == 2 * len(made)
    assert_kept(db, novu_standin)
