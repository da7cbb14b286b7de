"""A worker is killed while PostgreSQL executes its record of an acceptance."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.deaths import HASTY, OFTEN, PATIENT, given_up, killed
from tests.support.modes import Mode, in_every_mode, together
from tests.support.novu import NovuStandIn
from tests.support.promise import assert_kept, until_settled
from tests.support.rows import Db, a_workflow, row
from tests.support.stalled import stalling, until_stalled
from tests.support.waiting import eventually
from tests.support.worker import running_worker

Environment = Mapping[str, str]

CUT_OFF = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE application_name = 'xnovu:worker' AND datname = current_database()"""


@asynccontextmanager
async def killed_within(
    db: Db, mode: Mode, environment: Environment, standin: NovuStandIn, tmp_path: Path
) -> AsyncIterator[list[int]]:
    """Kill a worker while PostgreSQL executes its record, which takes as long as the context.

    The order is certain: the call is under way before, and the record is seen to be executed.
    """
    standin.fault("slow", seconds=60)
    with running_worker(tmp_path, "killed", **{**environment, **HASTY, **PATIENT}) as worker:
        database, made = environment["DATABASE_URL"], together(db, mode, a_workflow(db))
        await eventually(lambda: standin.stats()["calls"] == 1)
        with stalling(db, "SENT"):
            standin.clear_faults()
            await until_stalled(database, "xnovu:worker")
            await asyncio.to_thread(killed, worker)
            yield made


@in_every_mode
async def test_if_the_record_dies_too_the_next_attempt_records(
    db: Db, mode: Mode, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """PostgreSQL ends the session, so nothing was written; Novu drops the repeated trigger."""
    async with killed_within(db, mode, worker_environment, novu_standin, tmp_path) as made:
        db.execute(CUT_OFF)
    assert {row(db, notification_id)["notification_status"] for notification_id in made} == {"PROCESSING"}
    await given_up(db, worker_environment["TEMPORAL_ADDRESS"])

    with running_worker(tmp_path, "second", **worker_environment, **OFTEN):
        await asyncio.to_thread(until_settled, db)

    ended = [row(db, notification_id) for notification_id in made]
    assert {(found["notification_status"], found["attempt"], found["lapses"]) for found in ended} == {
        ("SENT", 2, 1)
    }
    assert novu_standin.stats()["triggers"] == 2 * len(made)
    assert_kept(db, novu_standin)


async def test_if_the_record_survives_it_stands(
    db: Db, mode: Mode, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """PostgreSQL finishes the statement although no client waits for the result."""
    async with killed_within(db, mode, worker_environment, novu_standin, tmp_path) as made:
        pass
    await asyncio.to_thread(until_settled, db)

    ended = [row(db, notification_id) for notification_id in made]
    assert {(found["notification_status"], found["attempt"], found["lapses"]) for found in ended} == {
        ("SENT", 1, 0)
    }
    assert novu_standin.stats()["triggers"] == len(made)
    assert_kept(db, novu_standin)
