"""`python -m benchmarks.upgrade`: the migrations of this version on a large table, beside writers and a long report."""

import sys
import tempfile
import threading
import time
from pathlib import Path

import click
import psycopg
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.upgrade.writers import Writer, seconds
from xnovu_poller.dev.postgres import Postgres
from xnovu_poller.store import schema

LIMIT_SECONDS = 2.0
WRITERS = 8
CALM_SECONDS = 5.0
REPORT_SECONDS = 10.0

_FILL = b"""
INSERT INTO notify.ent_notification_workflow (name, workflow_key, workflow_type, default_channels, publish_status)
VALUES ('order shipped', 'order-shipped', 'STATIC', '{EMAIL}', 'PUBLISH');
INSERT INTO notify.ent_notification (enterprise_id, name, recipients, payload)
SELECT 'enterprise-' || number %% 100, 'order shipped', ARRAY['subscriber-' || number], '{"order": 1}'
FROM generate_series(1, %s) AS number"""
_ANALYZE = b"VACUUM ANALYZE notify.ent_notification"
_REPORT = b"SELECT count(*) FROM notify.ent_notification"


@click.command("bench-upgrade")
@click.option("--rows", default=1_000_000, show_default=True, help="Notifications in the table.")
@click.option(
    "--from",
    "before",
    default="0011_checks",
    show_default=True,
    help="The newest revision of the version before.",
)
def bench_upgrade(rows: int, before: str) -> None:
    """Fill a table, let eight applications write without pause, migrate, and print how long they waited.

    A second upgrade runs while a report holds its lock for ten seconds: the migration gives way to the writers, and tries
    again. The exit code is 0 only if no write took longer than two seconds.
    """
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="xnovu-upgrade-") as folder, Postgres(Path(folder)) as server:
        spans = [
            measure(server.create_database(name), rows, before, has_report=name == "report")
            for name in ("calm", "report")
        ]
    table = Table(box=box.MARKDOWN)
    for column in ("while", "lasted", "writes", "median", "p99", "longest"):
        table.add_column(column, justify="left" if column == "while" else "right")
    lines = [line for span in spans for line in span]
    for name, lasted, found in lines:
        places = (0.5, 0.99, 1.0)
        shown = [f"{found[min(int(len(found) * place), len(found) - 1)] * 1000:.0f} ms" for place in places]
        table.add_row(name, f"{lasted:.1f} s", f"{len(found):,}", *shown)
    console.print(table, soft_wrap=True)
    if max(found[-1] for _, _, found in lines) > LIMIT_SECONDS:
        sys.exit(1)


Line = tuple[str, float, list[float]]


def measure(url: str, rows: int, before: str, *, has_report: bool) -> list[Line]:
    """Migrate beside writers; return how long the writes before and meanwhile took."""
    owner = url.replace("postgresql:", "postgresql+psycopg:", 1)
    schema.upgrade(owner, before)
    with psycopg.connect(url, autocommit=True) as connection:
        psycopg.ClientCursor(connection).execute(_FILL, [rows])
        connection.execute(_ANALYZE)
    writers = [Writer(url, number) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    began_at = time.monotonic()
    time.sleep(CALM_SECONDS)
    report = threading.Thread(target=hold, args=[url, REPORT_SECONDS if has_report else 0.0])
    report.start()
    migrated_at = time.monotonic()
    schema.upgrade(owner)
    ended_at = time.monotonic()
    for writer in writers:
        writer.end()
    report.join()
    name = "the migrations, and a report of 10 s" if has_report else "the migrations"
    return [
        ("nothing else", migrated_at - began_at, seconds(writers, began_at, migrated_at)),
        (name, ended_at - migrated_at, seconds(writers, migrated_at, ended_at)),
    ]


def hold(url: str, lasting: float) -> None:
    """Read the table, and keep the lock for some seconds, as a report or a dump does."""
    with psycopg.connect(url) as connection:
        connection.execute(_REPORT)
        time.sleep(lasting)


if __name__ == "__main__":
    bench_upgrade()
