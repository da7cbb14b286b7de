"""Clients open more connections to a worker's port than the worker may open files, and ask nothing."""

import asyncio
import resource
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from tests.support.deaths import OFTEN
from tests.support.modes import only
from tests.support.novu import NovuStandIn
from tests.support.promise import assert_kept, until_settled
from tests.support.rows import Db, a_notification, a_workflow
from tests.support.waiting import eventually
from tests.support.worker import PROGRAM, WorkerProgram, running_worker

FILES = 200
"""The worker may open this many files; it needs some 60."""

LIMITED = ("sh", "-c", f'ulimit -Sn 100 && ulimit -Hn {FILES} && exec "$@"', "sh", *PROGRAM)


@asynccontextmanager
async def half_open(port: int, count: int) -> AsyncIterator[None]:
    """Keep connections with half a request; open them again as the server closes them."""

    async def keep() -> None:
        while True:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(b"GET /livez HTT")
                await reader.read()
            except ConnectionError:
                pass
            finally:
                writer.close()

    async with asyncio.TaskGroup() as tasks:
        clients = [tasks.create_task(keep()) for _ in range(count)]
        yield
        for client in clients:
            client.cancel()


def is_answered(worker: WorkerProgram) -> bool:
    """Return whether a request is answered; if 64 others connect before it is sent, they take its place."""
    try:
        answer = worker.get("livez")
    except httpx.TransportError:
        return False
    assert answer.status_code == 200
    return True


@only("group", because="the port knows nothing of groups")
async def test_deliveries_go_on_and_a_client_that_asks_is_answered(
    db: Db, worker_environment: Mapping[str, str], novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """The worker also uses all files that its supervisor allows, not only those that it gets by default."""
    with running_worker(tmp_path, program=LIMITED, **{**worker_environment, **OFTEN}) as worker:
        await asyncio.to_thread(worker.until_logged, "worker started")
        assert resource.prlimit(worker.child.pid, resource.RLIMIT_NOFILE) == (FILES, FILES)
        async with half_open(worker.lines("health served")[0]["port"], 2 * FILES):
            workflow = a_workflow(db)
            for _ in range(5):
                a_notification(db, workflow=workflow)
                await eventually(lambda: asyncio.to_thread(is_answered, worker))
            await asyncio.to_thread(until_settled, db)
        assert await asyncio.to_thread(worker.stop) == 0
    assert_kept(db, novu_standin)
