"""Records workflow histories from a real server, for the replay tests: `python -m tests.support.histories`.

To be run, and its files looked through, whenever the workflow is meant to change: a history that no
longer replays is that of a workflow which an upgrade would break.
"""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.support.delivering import a_claimed
from tests.support.executing import (
    DEPLOYMENT,
    STRANGER,
    Executing,
    claims_of,
    executing,
    executing_for,
    handoff_of,
)
from tests.support.novu import NovuStandIn, running_standin
from tests.support.postgres import migrated_copy, quick_server
from tests.support.rows import Db, open_db, sqlalchemy_url
from tests.support.temporal import SEARCH_ATTRIBUTES
from tests.support.waiting import eventually
from xnovu_poller.dev.temporal import Temporal
from xnovu_poller.store.engine import connect as connect_store
from xnovu_poller.temporal.worker import Address, connect

FOLDER = Path(__file__).parents[1] / "unit" / "temporal" / "histories"

Story = Callable[[Executing, Db, NovuStandIn], Awaitable[dict[str, Any]]]


async def success(executor: Executing, db: Db, _: NovuStandIn) -> dict[str, Any]:
    """A single notification, sent at the first try."""
    return await executor.finish(*claims_of(db, [a_claimed(db)]))


async def dead(executor: Executing, db: Db, standin: NovuStandIn) -> dict[str, Any]:
    """A single notification that Novu rejects: its outcome becomes a search attribute."""
    standin.fault("status", status=422)
    return await executor.finish(*claims_of(db, [a_claimed(db)]))


async def retry(executor: Executing, db: Db, standin: NovuStandIn) -> dict[str, Any]:
    """The first try's outcome is unknown, the second is a regular activity."""
    standin.fault("accept_then_reset")
    return await executor.finish(*claims_of(db, [a_claimed(db)]))


async def group(executor: Executing, db: Db, standin: NovuStandIn) -> dict[str, Any]:
    """Three notifications of one workflow, one of them sent at the second try."""
    standin.fault("accept_then_reset", match={"recipient": "s1"})
    works = [a_claimed(db, recipients=[f"s{i}"]) for i in range(3)]
    return await executor.finish(*claims_of(db, works, group="group"))


async def lost_contact(executor: Executing, db: Db, _: NovuStandIn) -> dict[str, Any]:
    """No try comes through: a table is away."""
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


async def stranger(executor: Executing, db: Db, _: NovuStandIn) -> dict[str, Any]:
    """A single notification that falls into the hands of another deployment first."""
    claims = claims_of(db, [a_claimed(db)])
    shared = "histories-shared"
    async with executing_for(STRANGER, executor, shared):
        handle = await replace(executor, handoff=handoff_of(executor.client, shared)).begin(*claims)

        async def refused() -> bool:
            return "ACTIVITY_TASK_FAILED" in str((await handle.fetch_history()).to_json_dict())

        await eventually(refused)
    async with executing_for(DEPLOYMENT, executor, shared):
        await handle.result()
    return (await handle.fetch_history()).to_json_dict()


STORIES: tuple[Story, ...] = (success, dead, retry, group, lost_contact, stranger)


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
    """Take out who recorded it: a process and its machine say nothing."""
    if isinstance(node, dict):
        return {
            key: "recorder" if key == "identity" else neutral(value)
            for key, value in node.items()
            if key != "stackTrace"
        }
    return [neutral(one) for one in node] if isinstance(node, list) else node


async def record() -> None:
    """Play every story, and write its history down."""
    FOLDER.mkdir(exist_ok=True)
    async with stage() as (executor, db, standin):
        for story in STORIES:
            standin.reset()
            history = neutral(await story(executor, db, standin))
            path = FOLDER / f"{story.__name__}.json"
            path.write_text(json.dumps(history, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(record())
