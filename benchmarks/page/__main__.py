"""`python -m benchmarks.page`: how long each view of the operator's page takes on a large table, and what live pages ask."""

import asyncio
import re
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from statistics import median

import click
import httpx
import psycopg
import uvicorn
from rich.console import Console

from xnovu_poller.dev.postgres import Postgres
from xnovu_poller.store import schema
from xnovu_poller.web.page.access import Access
from xnovu_poller.web.page.app import OperatorPage

PASSWORD = "a password of the bench"  # noqa: S105 - it opens nothing
ROUNDS = 30
LIVE_PAGES, LIVE_SECONDS = 100, 10

# Without triggers: they check each row of a producer, and these rows are those of months.
_FILL = b"""
SET session_replication_role = replica;
INSERT INTO notify.ent_notification_workflow (name, workflow_key, workflow_type, default_channels, publish_status)
SELECT 'order shipped ' || k, 'order-shipped-' || k, 'STATIC', '{EMAIL}', 'PUBLISH' FROM generate_series(1, 50) AS k;
INSERT INTO notify.ent_enterprise (enterprise_id, name) SELECT 'enterprise-' || k, 'Enterprise ' || k FROM generate_series(0, 999) AS k;
INSERT INTO notify.ent_notification (enterprise_id, name, notification_workflow_id, recipients, payload, notification_status,
    attempt, created_at, updated_at, processed_at, next_attempt_at, retracted_at, error_details, scheduled_for, temporal_workflow_id)
SELECT 'enterprise-' || (random() ^ 2 * 999)::int, 'order shipped', 1 + k %% 50, ARRAY['subscriber-' || k %% 1000003],
    jsonb_build_object('order', k, 'text', repeat('x', 100)),
    (CASE WHEN k > %(rows)s - 20000 THEN 'PENDING' WHEN k %% 100 = 0 THEN 'DEAD' WHEN k %% 1000 = 1 THEN 'FAILED'
        WHEN k %% 500 = 2 THEN 'RETRACTED' ELSE 'SENT' END)::notify.notification_status,
    (k <= %(rows)s - 20000)::int, at, at, CASE WHEN k <= %(rows)s - 20000 AND k %% 1000 <> 1 THEN at END,
    CASE WHEN k %% 1000 = 1 AND k %% 100 <> 0 AND k <= %(rows)s - 20000 THEN now() + interval '1 hour' END,
    CASE WHEN k %% 500 = 2 AND k %% 100 <> 0 AND k <= %(rows)s - 20000 THEN at END,
    CASE WHEN k %% 100 = 0 AND k <= %(rows)s - 20000 THEN '{"code": "novu_rejected", "message": "Novu refuses it"}'::jsonb END,
    CASE WHEN k > %(rows)s - 10000 THEN at + interval '1 day' END, CASE WHEN k <= %(rows)s - 20000 THEN 'run-' || k END
FROM (SELECT k, now() - interval '90 days' * (1 - k / %(rows)s::float8) AS at FROM generate_series(1, %(rows)s) AS k) AS made;
INSERT INTO notify.minute SELECT date_trunc('minute', now()) - k * interval '1 minute', 1, 2, 3, 4, 5, 600, 7, 8
FROM generate_series(0, 4319) AS k;"""

_SAMPLE = (
    b"SELECT id FROM notify.ent_notification WHERE notification_status = 'DEAD' ORDER BY id DESC LIMIT 1"
)


@click.command("bench-page")
@click.option("--rows", default=10_000_000, show_default=True, help="Notifications in the table.")
def bench_page(rows: int) -> None:
    """Fill a table, open each view thirty times, and print the times; then keep a hundred live pages open."""
    console = Console(highlight=False)
    with (
        tempfile.TemporaryDirectory(prefix="xnovu-page-", dir="/var/tmp") as folder,
        Postgres(Path(folder), settings={"max_wal_size": "4GB"}) as server,
    ):
        url = server.create_database("page")
        schema.upgrade(url.replace("postgresql:", "postgresql+psycopg:", 1), "head")
        began = time.monotonic()
        with psycopg.connect(url, autocommit=True) as connection:
            psycopg.ClientCursor(connection).execute(_FILL, {"rows": rows})
            connection.execute(b"VACUUM ANALYZE")
            found = connection.execute(_SAMPLE).fetchone()
        console.print(f"{rows:,} notifications, filled in {time.monotonic() - began:.0f} s")
        asyncio.run(measure(url, found[0] if found else 1, partial(console.print, soft_wrap=True)))


def paths(sample: int) -> list[str]:
    """Return the addresses of the views, and of the searches that people make."""
    return [
        "/",
        "/enterprises",
        "/enterprises?enterprise=enterprise-9",
        "/notifications",
        "/notifications?state=DEAD",
        "/notifications?enterprise=enterprise-7",
        "/notifications?enterprise=enterprise-7&state=DEAD&state=FAILED",
        "/notifications?workflow=order-shipped-7",
        "/notifications?code=novu_rejected",
        "/notifications?recipient=subscriber-5",
        "/notifications?enterprise=enterprise-7&workflow=order-shipped-7",
        f"/notifications/{sample}",
        "/rules",
        "/workflows",
        "/templates",
        "/doctor",
    ]


async def measure(url: str, sample: int, show: Callable[[str], None]) -> None:
    """Show the times of each view, and those beside live pages, as the page itself measures them."""
    show("| view | best | median | longest |\n| --- | --- | --- | --- |")
    async with served(url) as client:
        for path in paths(sample):
            show(_line(path, [await _time(client, path) for _ in range(ROUNDS)]))
        show(_line(f"`/` beside {LIVE_PAGES} live pages", await _beside_live_pages(client)))


def _line(name: str, spans: list[float]) -> str:
    return f"| {name} | {min(spans):.0f} ms | {median(spans):.0f} ms | {max(spans):.0f} ms |"


async def _time(client: httpx.AsyncClient, path: str) -> float:
    # Otherwise the view Now would be that of a moment ago.
    await asyncio.sleep(1.1 if path == "/" else 0)
    answer = await client.get(path)
    answer.raise_for_status()
    return float(answer.headers["server-timing"].partition("dur=")[2])


async def _beside_live_pages(client: httpx.AsyncClient) -> list[float]:
    async def look() -> None:
        async with client.stream("GET", "/events") as events:
            async for _ in events.aiter_lines():
                if time.monotonic() > end:
                    return

    end = time.monotonic() + LIVE_SECONDS
    looking = [asyncio.create_task(look()) for _ in range(LIVE_PAGES)]
    await asyncio.sleep(LIVE_SECONDS / 5)
    spans = [await _time(client, "/") for _ in range(5)]
    await asyncio.gather(*looking)
    return spans


@asynccontextmanager
async def served(url: str) -> AsyncIterator[httpx.AsyncClient]:
    """Serve the page, and lend a client that has logged in."""
    page = OperatorPage(url, Access(password=PASSWORD))
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(page, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
    limits = httpx.Limits(max_connections=None)
    try:
        async with httpx.AsyncClient(
            base_url=origin, headers={"origin": origin}, trust_env=False, timeout=60, limits=limits
        ) as client:
            form = re.search(r'name="form_token" value="([^"]+)"', (await client.get("/login")).text)
            values = {"name": "bench", "password": PASSWORD, "form_token": form[1] if form else ""}
            await client.post("/login", data=values)
            yield client
    finally:
        page.close_streams()
        server.should_exit = True
        await serving
        await page.aclose()


if __name__ == "__main__":
    bench_page()
