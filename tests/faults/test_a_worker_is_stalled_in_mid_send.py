"""A worker stalls in the middle of its sends, until another takes them over."""

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from tests.support.deaths import HASTY
from tests.support.modes import only
from tests.support.novu import NovuStandIn
from tests.support.promise import assert_kept, until_settled
from tests.support.proxy import LOOPBACK, proxied
from tests.support.rows import Db, a_notification, a_workflow, row
from tests.support.silent import SilentProxy, silent_proxy
from tests.support.waiting import eventually
from tests.support.worker import running_worker

Environment = Mapping[str, str]

BRIEF = {"NOVU_TIMEOUT_MS": "4000", "LEASE_MS": "4000", "HANDOFF_GROUP_SIZE": "2"}
PATIENT = {"NOVU_TIMEOUT_MS": "20000", "LEASE_MS": "40000"}

RECORD = b"{%d-" % datetime.now(UTC).year
"""The parameter of a record that names the moments of its holds; its text travels only once, when it is prepared."""
SENDING = "SELECT id FROM notify.ent_notification WHERE send_until > clock_timestamp()"
LONGEST_MS = "SELECT max(extract(epoch FROM send_until) * 1000) AS until FROM notify.ent_notification"


@asynccontextmanager
async def stalled(
    db: Db, environment: Environment, standin: NovuStandIn, tmp_path: Path
) -> AsyncIterator[SilentProxy]:
    """Run a worker that stalls while the records of its three sends are on their way, and resumes at the end.

    The order is certain because the records are held back before PostgreSQL.
    """
    workflow = a_workflow(db)
    async with (
        silent_proxy(environment["DATABASE_URL"]) as postgres,
        proxied(f"tcp://{environment['TEMPORAL_ADDRESS']}") as temporal,
    ):
        through = {
            "DATABASE_URL": postgres.through(environment["DATABASE_URL"]),
            "TEMPORAL_ADDRESS": f"{LOOPBACK}:{temporal.port}",
        }
        with running_worker(tmp_path, "stalled", **{**environment, **HASTY, **BRIEF, **through}) as worker:
            await asyncio.to_thread(worker.until_logged, "worker started")
            postgres.hold_at(RECORD)
            with db.transaction():
                made = [a_notification(db, workflow=workflow) for _ in range(3)]
            # Two share a workflow and a call; the third has its own.
            await eventually(lambda: postgres.held == 2)
            assert len({row(db, notification_id)["temporal_workflow_id"] for notification_id in made}) == 2
            assert standin.stats()["accepted"] == 3
            worker.ask(signal.SIGSTOP)
            # Otherwise Temporal would give the next try to the stalled worker, which still waits for work.
            temporal.cut()
            yield postgres
            temporal.mend()
            worker.ask(signal.SIGCONT)
            assert await asyncio.to_thread(worker.stop) == 0


@only("group", because="two of its three notifications are a group, and the third is by itself")
async def test_its_twin_waits_for_the_holds_and_the_stalled_records_are_late(
    db: Db, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """Temporal repeats both workflow tasks, but no notification of the group is in two sends at the same time.

    The order is certain because the twin's call lasts until the stalled records have reached PostgreSQL.
    """
    async with stalled(db, worker_environment, novu_standin, tmp_path) as postgres:
        [held] = db.execute(LONGEST_MS).fetchall()
        novu_standin.fault("slow", seconds=60, times=None)
        with running_worker(tmp_path, "twin", **{**worker_environment, **HASTY, **PATIENT}):
            await eventually(lambda: novu_standin.stats()["calls"] == 3)
            [taken] = [found["id"] for found in db.execute(SENDING)]
            before = row(db, taken)
            postgres.release()
            await eventually(lambda: postgres.answered == 2)
            assert row(db, taken) == before
            novu_standin.clear_faults()
            await asyncio.to_thread(until_settled, db)

    assert (before["attempt"], before["lapses"], before["unknown_outcomes"]) == (1, 1, 1)
    assert novu_standin.ledger()["triggers"][3]["arrived_ms"] > held["until"]
    attempts = db.execute("SELECT DISTINCT attempt FROM notify.ent_notification").fetchall()
    assert attempts == [{"attempt": 1}]
    assert_kept(db, novu_standin)
