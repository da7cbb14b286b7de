"""Record workflow histories from a real server, for the replay tests: `python -m tests.support.histories [STORY …]`.

Run it, and read its files, whenever you change a workflow on purpose. A history that no longer
replays belongs to runs that an upgrade would break. Before a release, copy the files into `of_` and its newest revision.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.support.delivering import a_claimed
from tests.support.executing import (
    DEPLOYMENT,
    FOREIGN,
    Executing,
    claims_of,
    executing,
    executing_for,
    handoff_of,
    schedules_of,
)
from tests.support.novu import NovuStandIn, running_standin
from tests.support.postgres import migrated_copy, quick_server
from tests.support.rows import Db, a_rule, a_workflow, open_db, sqlalchemy_url
from tests.support.temporal import SEARCH_ATTRIBUTES
from tests.support.waiting import eventually
from xnovu_poller.dev.temporal import Temporal
from xnovu_poller.lifecycle import RuleTrigger
from xnovu_poller.rules.timing import read_timing
from xnovu_poller.store.engine import connect as connect_store
from xnovu_poller.temporal import contract
from xnovu_poller.temporal.chores.schedule import ChoreSchedule
from xnovu_poller.temporal.client import Address, connect
from xnovu_poller.temporal.rules.plans import Plan

FOLDER = Path(__file__).parents[1] / "unit" / "temporal" / "delivery" / "histories"

Story = Callable[[Executing, Db, NovuStandIn], Awaitable[dict[str, Any]]]


async def success(executor: Executing, db: Db, _: NovuStandIn) -> dict[str, Any]:
    """Send a single notification at the first try."""
    return await executor.finish(*claims_of(db, [a_claimed(db)]))


async def dead(executor: Executing, db: Db, standin: NovuStandIn) -> dict[str, Any]:
    """Send a single notification that Novu rejects; the outcome becomes a search attribute."""
    standin.fault("status", status=422)
    return await executor.finish(*claims_of(db, [a_claimed(db)]))


async def retry(executor: Executing, db: Db, standin: NovuStandIn) -> dict[str, Any]:
    """Make a first try whose outcome is unknown; the second is a regular activity."""
    standin.fault("accept_then_reset")
    return await executor.finish(*claims_of(db, [a_claimed(db)]))


async def group(executor: Executing, db: Db, standin: NovuStandIn) -> dict[str, Any]:
    """Send three notifications in one run, of which only two are sent at the first try."""
    standin.fault("accept_then_reset", match={"recipient": "s1"})
    attempts = [a_claimed(db, recipients=[f"s{i}"]) for i in range(3)]
    return await executor.finish(*claims_of(db, attempts, group="group"))


async def lost_contact(executor: Executing, db: Db, _: NovuStandIn) -> dict[str, Any]:
    """Let no try succeed, because a table is missing."""
    claims = claims_of(db, [a_claimed(db)])
    db.execute("ALTER TABLE notify.ent_notification_workflow RENAME TO away")
    try:
        handle = await executor.begin(*claims)
        while (await handle.describe()).close_time is None:
            db.execute("UPDATE notify.ent_notification SET send_until = NULL WHERE send_until > now()")
            await asyncio.sleep(0.1)
    finally:
        db.execute("ALTER TABLE notify.away RENAME TO ent_notification_workflow")
    return (await handle.fetch_history()).to_json_dict()


async def foreign_deployment(executor: Executing, db: Db, _: NovuStandIn) -> dict[str, Any]:
    """Send a single notification that an executor of another deployment refuses first."""
    claims = claims_of(db, [a_claimed(db)])
    shared = "histories-shared"
    async with executing_for(FOREIGN, executor, shared):
        handle = await replace(executor, handoff=handoff_of(executor.client, shared)).begin(*claims)

        async def refused() -> bool:
            return "ACTIVITY_TASK_FAILED" in str((await handle.fetch_history()).to_json_dict())

        await eventually(refused)
    async with executing_for(DEPLOYMENT, executor, shared):
        await handle.result()
    return (await handle.fetch_history()).to_json_dict()


async def fired(executor: Executing, db: Db, _: NovuStandIn) -> dict[str, Any]:
    """Fire a rule by hand."""
    rule = a_rule(db, workflow=a_workflow(db, key="fired"))
    schedules = schedules_of(executor.client, "histories")
    return await _ended(executor, await schedules.fire(rule))


async def fired_by_schedule(executor: Executing, db: Db, _: NovuStandIn) -> dict[str, Any]:
    """Trigger the schedule of a one-time rule by hand, before its time."""
    at = datetime(2099, 1, 1, tzinfo=UTC)
    config = {"at": at.isoformat()}
    rule = a_rule(db, workflow=a_workflow(db, key="clicked"), trigger_type="SCHEDULE", trigger_config=config)
    schedules = schedules_of(executor.client, "histories")
    when = read_timing(RuleTrigger.SCHEDULE, config)
    await schedules.apply(Plan(rule, "acme", when, paused=False, task_queue="histories"), exists=False)
    return await _triggered(executor, contract.rule_schedule_id(DEPLOYMENT, rule))


async def fired_late(executor: Executing, db: Db, _: NovuStandIn) -> dict[str, Any]:
    """Fire a rule once the database is back."""
    rule = a_rule(db, workflow=a_workflow(db, key="late"))
    db.execute("ALTER TABLE notify.ent_notification_rule RENAME TO away")
    try:
        run_id = await schedules_of(executor.client, "histories").fire(rule)
        handle = executor.client.get_workflow_handle(run_id)

        async def tried_again() -> bool:
            pending = (await handle.describe()).raw_description.pending_activities
            return any(activity.attempt > 1 for activity in pending)

        await eventually(tried_again)
    finally:
        db.execute("ALTER TABLE notify.away RENAME TO ent_notification_rule")
    return await _ended(executor, run_id)


async def chores(executor: Executing, db: Db, _: NovuStandIn) -> dict[str, Any]:
    """Run the chores of a deployment; one chore fails twice."""
    schedule = ChoreSchedule(
        executor.client, deployment=DEPLOYMENT, task_queue="histories", every=timedelta(hours=1)
    )
    await schedule.ensure()
    db.execute("ALTER TABLE notify.ent_notification RENAME TO away")
    try:
        return await _triggered(executor, schedule.id)
    finally:
        db.execute("ALTER TABLE notify.away RENAME TO ent_notification")


async def _triggered(executor: Executing, schedule: str) -> dict[str, Any]:
    """Trigger a schedule, wait for its run, and delete it; return the history of the run."""
    handle = executor.client.get_schedule_handle(schedule)
    await handle.trigger()

    async def started_run() -> str | None:
        recent = (await handle.describe()).info.recent_actions
        return getattr(recent[-1].action, "workflow_id", None) if recent else None

    history = await _ended(executor, str(await eventually(started_run)))
    await handle.delete()
    return history


async def _ended(executor: Executing, run_id: str) -> dict[str, Any]:
    handle = executor.client.get_workflow_handle(run_id)
    await handle.result()
    return (await handle.fetch_history()).to_json_dict()


STORIES: tuple[Story, ...] = (
    success,
    dead,
    retry,
    group,
    lost_contact,
    foreign_deployment,
    fired,
    fired_by_schedule,
    fired_late,
    chores,
)


@asynccontextmanager
async def stage() -> AsyncIterator[tuple[Executing, Db, NovuStandIn]]:
    """Run everything that a story needs."""
    with (
        quick_server() as postgres,
        migrated_copy(postgres) as url,
        open_db(url) as db,
        running_standin() as standin,
        tempfile.TemporaryDirectory(prefix="xnovu-temporal-") as folder,
        Temporal(Path(folder), search_attributes=SEARCH_ATTRIBUTES) as temporal,
    ):
        engine = connect_store(sqlalchemy_url(url), part="histories")
        client = await connect(Address(target=temporal.address, namespace="default"))
        async with executing(client, "histories", engine, standin) as executor:
            yield executor, db, standin
        await engine.dispose()


def neutral(node: Any) -> Any:  # noqa: ANN401 - JSON
    """Replace the identity of the recorder: its process and machine do not matter."""
    if isinstance(node, dict):
        return {
            key: "recorder" if key == "identity" else neutral(value)
            for key, value in node.items()
            if key != "stackTrace"
        }
    return [neutral(item) for item in node] if isinstance(node, list) else node


async def record(names: Collection[str]) -> None:
    """Play every story, or only those that are named, and write their histories."""
    FOLDER.mkdir(exist_ok=True)
    async with stage() as (executor, db, standin):
        for story in STORIES:
            if names and story.__name__ not in names:
                continue
            standin.reset()
            history = neutral(await story(executor, db, standin))
            path = FOLDER / f"{story.__name__}.json"
            path.write_text(json.dumps(history, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1:]))
