"""A worker is killed while rules fire: the firing under way happens once, and those of the meantime are not lost."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.support.deaths import HASTY, OFTEN, killed
from tests.support.modes import only
from tests.support.novu import NovuStandIn
from tests.support.promise import assert_kept, until_settled
from tests.support.rows import Db, a_rule, a_workflow
from tests.support.scheduling import Scheduling, made_by, rule_row
from tests.support.waiting import eventually, until_blocked
from tests.support.worker import deliveries, running_worker

FIRINGS = 20
SECOND = timedelta(seconds=1)
AHEAD = 8 * SECOND
"""From the rule's insert to its first firing: unless the machine stalls, its schedule exists by then."""


def a_rule_of_twenty_firings(db: Db, workflow: int) -> tuple[int, list[datetime]]:
    """Insert a rule that fires each second; return its id and its times."""
    first = datetime.now(UTC).replace(microsecond=0) + AHEAD
    times = [first + n * SECOND for n in range(FIRINGS)]
    config = {
        "interval": {"every": "1s"},
        "start_at": times[0].isoformat(),
        "end_at": times[-1].isoformat(),
        # Keep each firing, also those for which no worker was running.
        "overlap": "ALLOW_ALL",
    }
    return a_rule(db, workflow=workflow, trigger_config=config), times


@only("single", because="a rule makes one notification at a time")
async def test_twenty_firings_make_twenty_notifications(
    db: Db, database: str, worker_environment: Mapping[str, str], novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """Each time of the rule makes one notification, and each is sent once.

    The race is certain: when the worker dies, a firing waits for a lock on the rules' table. PostgreSQL then
    finishes the statement, and no client receives the result.
    """
    scheduling = await Scheduling.of(db, worker_environment["TEMPORAL_ADDRESS"])
    with running_worker(tmp_path, "killed", **worker_environment, **HASTY) as worker:
        await asyncio.to_thread(worker.until_logged, "worker started")
        rule, times = a_rule_of_twenty_firings(db, a_workflow(db))
        schedule = await eventually(lambda: scheduling.rule(rule))
        # A rule does not catch up on times before its schedule existed.
        assert schedule is not None
        times = [at for at in times if at > schedule.info.created_at]
        await eventually(lambda: len(made_by(db, rule)) >= len(times) // 3)
        with db.transaction():
            db.execute("LOCK TABLE notify.ent_notification_rule IN SHARE MODE")
            await until_blocked(database, "xnovu:worker")
            await asyncio.to_thread(killed, worker)

    with running_worker(tmp_path, "second", **worker_environment, **OFTEN) as worker:
        await eventually(lambda: len(made_by(db, rule)) >= len(times))
        await asyncio.to_thread(until_settled, db)
        made = made_by(db, rule)
        wanted = {scheduling.fired_for(rule, at) for at in times}
        assert await asyncio.to_thread(worker.stop) == 0

    assert {row["dedup_key"] for row in made} == wanted
    assert deliveries(db, novu_standin) == [1] * len(times)
    assert rule_row(db, rule)["last_outcome"] == "created"
    assert_kept(db, novu_standin)
