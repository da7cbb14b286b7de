"""`python -m benchmarks.api`: how many notifications the API takes, beside INSERT, on a server that writes to its disk."""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import click
import psycopg
from rich import box
from rich.console import Console
from rich.table import Table

from xnovu_poller.dev.postgres import Postgres
from xnovu_poller.settings import child_environment
from xnovu_poller.store import api_keys, schema
from xnovu_poller.store.api_keys import Scope
from xnovu_poller.store.engine import connect

CLIENTS = 64
BATCH = 100

_FILL = b"""
INSERT INTO notify.ent_notification_workflow (name, workflow_key, workflow_type, default_channels, publish_status)
VALUES ('order shipped', 'order-shipped', 'STATIC', '{EMAIL}', 'PUBLISH')"""
_LOGINS = b"""
CREATE ROLE bench_worker LOGIN PASSWORD 'plain' IN ROLE xnovu_worker, xnovu_producer;
CREATE ROLE bench_api LOGIN PASSWORD 'plain' IN ROLE xnovu_api"""
_ENQUEUE = b"SELECT notify.enqueue('acme', 'order-shipped', '{user-1}', '{\"order\": 42}')"
_INSERT = b"""
INSERT INTO notify.ent_notification (enterprise_id, name, notification_workflow_id, recipients, payload)
SELECT 'acme', 'order shipped', 1, '{user-1}', '{"order": 42}' FROM generate_series(1, %s)"""
_ACT = b"SELECT set_config('app.current_enterprise_id', 'acme', false), set_config('role', 'xnovu_producer', false)"
_ONE = {"workflow_key": "order-shipped", "recipients": ["user-1"], "payload": {"order": 42}}


class Measured(NamedTuple):
    """What was measured: notifications a second, and the calls in seconds, the shortest first."""

    name: str
    rate: float
    calls: list[float]

    def at(self, share: float) -> float:
        """Return the time within which this share of the calls was answered, in milliseconds."""
        return self.calls[min(int(len(self.calls) * share), len(self.calls) - 1)] * 1000


async def measure(
    name: str,
    seconds: float,
    size: int,
    open_client: Callable[[], Awaitable[Callable[[], Awaitable[None]]]],
    clients: int,
) -> Measured:
    """Let clients call without pause, and count the notifications of their calls."""
    calls: list[float] = []
    opened = [await open_client() for _ in range(clients)]
    end = time.perf_counter() + seconds

    async def run(call: Callable[[], Awaitable[None]]) -> None:
        while (began := time.perf_counter()) < end:
            await call()
            calls.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*map(run, opened))
    return Measured(name, len(calls) * size / (time.perf_counter() - began), sorted(calls))


async def open_statement(url: str, statement: bytes, size: int) -> Callable[[], Awaitable[None]]:
    """Return a call that runs a statement in a transaction of its own, as a producer."""
    connection = await psycopg.AsyncConnection.connect(url, autocommit=True)
    await connection.execute(_ACT)

    async def call() -> None:
        await connection.execute(statement, [size] if b"%s" in statement else None, prepare=True)

    return call


async def open_post(port: int, key: str, body: bytes) -> Callable[[], Awaitable[None]]:
    """Return a call that posts a body on a connection that is kept."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = (
        f"POST /api/notifications HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()

    async def call() -> None:
        writer.write(head + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        if not answer.startswith(b"HTTP/1.1 201"):
            raise click.ClickException(answer.decode())
        length = next(
            int(line.split(b":")[1])
            for line in answer.lower().split(b"\r\n")
            if line.startswith(b"content-length")
        )
        await reader.readexactly(length)

    return call


async def measure_all(worker: str, port: int, seconds: float) -> list[Measured]:
    """Measure SQL and HTTP, single and in batches."""
    engine = connect(worker.replace("postgresql:", "postgresql+psycopg:", 1), part="bench")
    key = await api_keys.create(engine, "acme", "bench", [Scope.SEND], None)
    await engine.dispose()
    assert key is not None  # noqa: S101 - it has no end
    one, many = json.dumps(_ONE).encode(), json.dumps([_ONE] * BATCH).encode()
    return [
        await measure("INSERT, 1 row", seconds, 1, lambda: open_statement(worker, _INSERT, 1), 8),
        await measure("INSERT, 100 rows", seconds, BATCH, lambda: open_statement(worker, _INSERT, BATCH), 8),
        await measure("notify.enqueue", seconds, 1, lambda: open_statement(worker, _ENQUEUE, 1), 8),
        await measure("POST, 1 notification", seconds, 1, lambda: open_post(port, key, one), CLIENTS),
        await measure("POST, 100 notifications", seconds, BATCH, lambda: open_post(port, key, many), CLIENTS),
        await measure("the same, 8 clients", seconds, BATCH, lambda: open_post(port, key, many), 8),
    ]


@contextmanager
def served(url: str, processes: int) -> Iterator[int]:
    """Run the API, and yield its port."""
    environment = child_environment(
        DATABASE_URL=url,
        API_PORT="0",
        API_PROCESSES=str(processes),
        API_KEY_RATE="1000000",
        API_ADDRESS_RATE="1000000",
        LOG_FORMAT="json",
        LOG_LEVEL="info",
    )
    command = (sys.executable, "-m", "xnovu_poller", "api", "start")
    with subprocess.Popen(  # noqa: S603 - our own command
        command, env=environment, stderr=subprocess.STDOUT, stdout=subprocess.PIPE, text=True
    ) as api:
        assert api.stdout is not None  # noqa: S101 - it was started with PIPE
        try:
            line = next(line for line in api.stdout if "API served" in line)
            yield json.loads(line)["port"]
        finally:
            api.terminate()


@click.command("bench-api")
@click.option("--seconds", default=5.0, show_default=True, help="How long each line is measured.")
@click.option("--processes", default=1, show_default=True, help="API_PROCESSES.")
def bench_api(seconds: float, processes: int) -> None:
    """Measure how many notifications a second the API takes, beside INSERT and notify.enqueue, and print a table.

    PostgreSQL, the API and the clients share this machine's processors. PostgreSQL writes each commit to its disk.
    """
    with tempfile.TemporaryDirectory(prefix="xnovu-bench-api-") as folder, Postgres(Path(folder)) as server:
        url = server.create_database("bench")
        schema.upgrade(url.replace("postgresql:", "postgresql+psycopg:", 1))
        with psycopg.connect(url, autocommit=True) as owner:
            owner.execute(_FILL)
            owner.execute(_LOGINS)
        place = url.partition("@")[2]
        worker, api = (f"postgresql://bench_{name}:plain@{place}" for name in ("worker", "api"))
        with served(api, processes) as port:
            found = asyncio.run(measure_all(worker, port, seconds))
    table = Table(box=box.MARKDOWN)
    for column in ("call", "notifications a second", "median", "p99"):
        table.add_column(column, justify="left" if column == "call" else "right")
    for each in found:
        table.add_row(each.name, f"{each.rate:,.0f}", f"{each.at(0.5):.1f} ms", f"{each.at(0.99):.1f} ms")
    Console(highlight=False).print(table, soft_wrap=True)


if __name__ == "__main__":
    bench_api()
