"""procrastinate: fifty jobs at once, woken by NOTIFY, finished jobs deleted, five connections."""

import json

import procrastinate
import psycopg_pool
from procrastinate.types import JSONDict

from benchmarks.speed.peers.order import Order, Payload
from benchmarks.speed.peers.posting import IN_FLIGHT, Origin, one_by_one, run

POOL_SIZE = 5
"""More connections were slower."""


async def fill(order: Order) -> None:
    """Create the schema and defer all jobs."""
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=order.database))
    send = app.task(name="send")(_send)
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        for chunk in order.chunks():
            payloads: list[JSONDict] = [{**payload} for payload in chunk]
            await send.batch_defer_async(*payloads)


async def drain(order: Order) -> None:
    """Send all jobs.

    The connector's own pool checks each connection at every checkout, which doubles the transactions, so we give it
    another pool.
    """
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=order.database))
    pool = psycopg_pool.AsyncConnectionPool(
        order.database, min_size=POOL_SIZE, max_size=POOL_SIZE, open=False
    )
    async with Origin(order.sink) as sender, pool, app.open_async(pool):

        async def send(**payload: str) -> None:
            await sender.send(json.dumps(payload))

        app.task(name="send")(send)
        await app.run_worker_async(concurrency=IN_FLIGHT, listen_notify=True, delete_jobs="always")


async def trickle(order: Order) -> None:
    """Defer a single job at a time."""
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=order.database))
    send = app.task(name="send")(_send)

    async def enqueue(payload: Payload) -> None:
        await send.defer_async(**payload)

    async with app.open_async():
        await one_by_one(order, enqueue)


async def _send(**_: str) -> None:
    """Name the task if jobs are only deferred."""


if __name__ == "__main__":
    run(fill, drain, trickle)
