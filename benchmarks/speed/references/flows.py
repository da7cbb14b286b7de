"""The references' workflows; the process that starts them also executes them.

Eager start, no compression, no sandbox and 50 in flight are the fastest way that the SDK offers.
"""

import asyncio
import json
import os
import random
import time
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import ActivityHandle, Client
from temporalio.service import GrpcCompression
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from benchmarks.speed.cpu import Meter
from benchmarks.speed.ours.idle import GAP_SECONDS
from benchmarks.speed.peers.posting import IN_FLIGHT, Origin
from benchmarks.speed.references import program

QUEUE = "references"

STANDALONE = "post"
"""Stands for no workflow: the activity is started by itself."""

_PATIENCE = timedelta(seconds=10)
_EMPTY_STAGES = 4


@workflow.defn
class Bare:
    """Does nothing."""

    @workflow.run
    async def run(self, _body: str) -> None:
        """Return."""


@workflow.defn
class OneLocalActivity:
    """POSTs within its first workflow task."""

    @workflow.run
    async def run(self, body: str) -> None:
        """POST."""
        await workflow.execute_local_activity_method(Poster.post, body, start_to_close_timeout=_PATIENCE)


@workflow.defn
class FiveActivities:
    """Runs five activities, of which the last POSTs."""

    @workflow.run
    async def run(self, body: str) -> None:
        """Run the activities."""
        for _ in range(_EMPTY_STAGES):
            await workflow.execute_activity(stage, start_to_close_timeout=_PATIENCE)
        await workflow.execute_activity_method(Poster.post, body, start_to_close_timeout=_PATIENCE)


@activity.defn
async def stage() -> None:
    """Do nothing."""


class Poster:
    """POSTs, and remembers when each call began."""

    def __init__(self, sender: Origin) -> None:
        self._sender = sender
        self.entered: dict[str, float] = {}

    @activity.defn
    async def post(self, body: str) -> None:
        """POST a body."""
        self.entered[json.loads(body)["job"]] = time.monotonic()
        await self._sender.send(body)


class Starter:
    """Starts runs, and waits until they end.

    Args:
        client: connected.
        order: names the workflow, how many runs come before the clock starts, and the servers' processes.
    """

    def __init__(self, client: Client, order: program.Order) -> None:
        self._client = client
        self._flow: str = order["flow"]
        self._warm: int = order["warm"]
        self._pids = {"worker": os.getpid(), **order["pids"]}
        self.started_at: dict[str, float] = {}
        self.ended: list[float] = []
        self.meter = Meter(self._pids)

    async def start(self, job: str, body: str) -> None:
        """Start a run, and wait until it ends."""
        self.started_at[job] = time.monotonic()
        await (self._run_activity if self._flow == STANDALONE else self._run_workflow)(job, body)
        self.ended.append(time.monotonic())
        if len(self.ended) == self._warm:
            self.meter = Meter(self._pids)

    async def _run_workflow(self, job: str, body: str) -> None:
        handle = await self._client.start_workflow(
            self._flow, body, id=job, task_queue=QUEUE, request_eager_start=True
        )
        await handle.result()

    async def _run_activity(self, job: str, body: str) -> None:
        handle: ActivityHandle[None] = await self._client.start_activity(
            "post", body, id=job, task_queue=QUEUE, start_to_close_timeout=_PATIENCE
        )
        await handle.result()


async def work(order: program.Order) -> program.Answer:
    """Start all runs, 50 at once or one by one."""
    client = await Client.connect(order["address"], grpc_compression=GrpcCompression.NONE)
    async with Origin(order["sink"]) as sender:
        poster, starter = Poster(sender), Starter(client, order)
        async with Worker(
            client,
            task_queue=QUEUE,
            workflows=[Bare, OneLocalActivity, FiveActivities],
            activities=[stage, poster.post],
            workflow_runner=UnsandboxedWorkflowRunner(),
        ):
            jobs = ((f"{number:07}", program.body(number)) for number in range(order["count"]))

            async def loop() -> None:
                for job, body in jobs:
                    await starter.start(job, body)
                    if order["one_by_one"]:
                        await asyncio.sleep(random.uniform(*GAP_SECONDS))  # noqa: S311 - chance, not secrecy

            await asyncio.gather(*(loop() for _ in range(1 if order["one_by_one"] else IN_FLIGHT)))
            spent = starter.meter.spent()
    return {
        "started_at": starter.started_at,
        "entered": poster.entered,
        "ended": starter.ended,
        "spent": spent,
    }


if __name__ == "__main__":
    program.serve(work)
