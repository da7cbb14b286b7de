"""PgQueuer: asyncpg, a single manager with a single connection, batches of fifty, its own autovacuum settings."""

import json

import asyncpg
from pgqueuer import AsyncpgDriver, Job, PgQueuer, Queries

from benchmarks.speed.peers.order import Order, Payload
from benchmarks.speed.peers.posting import Origin, one_by_one, run

BATCH_SIZE = 50
"""The default is 10; with 250, sending lost more than claiming gained."""


async def fill(order: Order) -> None:
    """Create the schema, tune its autovacuum as the tool's own command does, and enqueue all jobs."""
    connection = await asyncpg.connect(order.database)
    queries = Queries(AsyncpgDriver(connection))
    await queries.install()
    await queries.optimize_autovacuum()
    for chunk in order.chunks():
        bodies: list[bytes | None] = [json.dumps(payload).encode() for payload in chunk]
        await queries.enqueue(["send"] * len(chunk), bodies, [0] * len(chunk))
    await connection.close()


async def drain(order: Order) -> None:
    """Send all jobs."""
    connection = await asyncpg.connect(order.database)
    queue = PgQueuer.from_asyncpg_connection(connection)
    async with Origin(order.sink) as sender:

        async def send(job: Job) -> None:
            await sender.send(job.payload or b"")

        queue.entrypoint("send")(send)
        await queue.run(batch_size=BATCH_SIZE)


async def trickle(order: Order) -> None:
    """Enqueue a single job at a time."""
    connection = await asyncpg.connect(order.database)
    queries = Queries(AsyncpgDriver(connection))

    async def enqueue(payload: Payload) -> None:
        await queries.enqueue("send", json.dumps(payload).encode())

    await one_by_one(order, enqueue)
    await connection.close()


if __name__ == "__main__":
    run(fill, drain, trickle)
