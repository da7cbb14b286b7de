"""A plain SKIP LOCKED loop, woken by NOTIFY: claim 100, send them, complete 100; no fairness, retries or leases."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import psycopg

from benchmarks.speed.peers.order import Order, Payload
from benchmarks.speed.peers.posting import Origin, one_by_one, run

BATCH_SIZE = 100
LOOPS = 2
"""A loop claims while the other sends."""
REST_SECONDS = 0.5

_TABLE = """
CREATE TABLE job (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    status text NOT NULL DEFAULT 'todo',
    payload text NOT NULL
);
CREATE INDEX ON job (id) WHERE status = 'todo';
CREATE FUNCTION notify_loop() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NOTIFY job; RETURN NULL; END $$;
CREATE TRIGGER notify_loop AFTER INSERT ON job FOR EACH STATEMENT EXECUTE FUNCTION notify_loop();
"""

_CLAIM = """
UPDATE job SET status = 'doing'
FROM (SELECT id FROM job WHERE status = 'todo' ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED) AS next
WHERE job.id = next.id
RETURNING job.id, job.payload
"""

_COMPLETE = "UPDATE job SET status = 'done' WHERE id = ANY(%s)"

SendAll = Callable[[Origin, Sequence[str]], Awaitable[object]]


async def fill(order: Order) -> None:
    """Create the table and copy all jobs into it."""
    async with await psycopg.AsyncConnection.connect(order.database) as connection:
        await connection.execute(_TABLE)
        async with connection.cursor() as cursor, cursor.copy("COPY job (payload) FROM STDIN") as copy:
            for payload in order.payloads():
                await copy.write_row([json.dumps(payload)])


async def drain(order: Order, send_all: SendAll) -> None:
    """Send all jobs, in two loops, each with its own connection."""
    async with Origin(order.sink) as sender:
        await asyncio.gather(*(_loop(order.database, partial(send_all, sender)) for _ in range(LOOPS)))


async def _loop(database: str, send_all: Callable[[Sequence[str]], Awaitable[object]]) -> None:
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
        await connection.execute("LISTEN job")
        while True:
            claimed = await (await connection.execute(_CLAIM, [BATCH_SIZE])).fetchall()
            if not claimed:
                async for _ in connection.notifies(timeout=REST_SECONDS, stop_after=1):
                    pass
                continue
            await send_all([payload for _, payload in claimed])
            await connection.execute(_COMPLETE, [[number for number, _ in claimed]])


async def trickle(order: Order) -> None:
    """Insert a single job at a time."""
    async with await psycopg.AsyncConnection.connect(order.database, autocommit=True) as connection:

        async def enqueue(payload: Payload) -> None:
            await connection.execute("INSERT INTO job (payload) VALUES (%s)", [json.dumps(payload)])

        await one_by_one(order, enqueue)


async def singly(sender: Origin, payloads: Sequence[str]) -> None:
    """Send a request for each job."""
    await asyncio.gather(*(sender.send(payload) for payload in payloads))


async def in_bulk(sender: Origin, payloads: Sequence[str]) -> None:
    """Send all jobs of a batch in a single request."""
    await sender.send('{"events": [' + ", ".join(payloads) + "]}")


if __name__ == "__main__":
    run(fill, partial(drain, send_all={"single": singly, "bulk": in_bulk}[sys.argv[3]]), trickle)
