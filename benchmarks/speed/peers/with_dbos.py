"""DBOS: a queue without limits, polled every 10 ms; the workflow's body sends, without a step."""

import asyncio
import json

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, DBOSConfig, EnqueueOptions

from benchmarks.speed.peers.order import Order, Payload
from benchmarks.speed.peers.posting import Origin, one_by_one, run

QUEUE = "sends"
POLL_SECONDS = 0.01
"""DBOS polls its queues; it has no NOTIFY for them. The default is a second."""
POOL_SIZE = 20
THREADS = 8

_OPTIONS: EnqueueOptions = {"queue_name": QUEUE, "workflow_name": "send"}


async def fill(order: Order) -> None:
    """Let DBOS create its schema, and enqueue all jobs in one transaction."""
    DBOS(config=_config(order))
    DBOS.launch()
    await DBOS.register_queue_async(QUEUE, polling_interval_sec=POLL_SECONDS)
    DBOS.destroy()
    _enqueue(order)  # nothing else runs here


async def drain(order: Order) -> None:
    """Send all jobs; DBOS runs its workflows in the event loop in which it is launched."""
    async with Origin(order.sink) as sender:

        async def send(payload: Payload) -> None:
            await sender.send(json.dumps(payload))

        DBOS(config=_config(order))
        DBOS.workflow(name="send")(send)
        DBOS.launch()
        await asyncio.Event().wait()


async def trickle(order: Order) -> None:
    """Enqueue a single job at a time."""
    client = DBOSClient(system_database_url=_url(order))

    async def enqueue(payload: Payload) -> None:
        client.enqueue(_OPTIONS, payload)  # nothing else runs here

    await one_by_one(order, enqueue)
    client.destroy()


def _url(order: Order) -> str:
    return order.database.replace("postgresql:", "postgresql+psycopg:", 1)


def _config(order: Order) -> DBOSConfig:
    return {
        "name": "peer",
        "application_version": "1",
        "system_database_url": _url(order),
        "sys_db_pool_size": POOL_SIZE,
        "max_executor_threads": THREADS,
        "log_level": "WARNING",
    }


def _enqueue(order: Order) -> None:
    engine = sa.create_engine(_url(order))
    client = DBOSClient(system_database_engine=engine)
    with engine.begin() as connection:
        for payload in order.payloads():
            client.enqueue_in_transaction(connection, _OPTIONS, payload)
    client.destroy()


if __name__ == "__main__":
    run(fill, drain, trickle)
