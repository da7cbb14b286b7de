"""PostgreSQL's disk is full and the server stops (PANIC): everything goes on once it has space and runs again."""

import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from tests.support.disaster import assert_unharmed, at_work, due, wait_until_unhealthy
from tests.support.modes import only
from tests.support.novu import NovuStandIn
from tests.support.postgres import migrated_copy, quick_server
from tests.support.rows import Db, open_db
from tests.support.waiting import wait_until
from xnovu_poller.dev.postgres import Postgres

Environment = Mapping[str, str]

MEGABYTE = bytes(1 << 20)
NEEDS_A_FILE = "SELECT pg_switch_wal()"
"""After this the next write needs a new file."""


@pytest.fixture
def disk() -> Iterator[Path]:
    """Mount a small disk, if we may."""
    with tempfile.TemporaryDirectory(prefix="xnovu-disk-") as folder:
        options = ["-t", "tmpfs", "-o", "size=256m,mode=755", "tmpfs", folder]
        mounted = subprocess.run(["/bin/mount", *options], capture_output=True, text=True, check=False)
        if mounted.returncode != 0:
            # Without a disk of its own the test would fill the machine's, so it needs the right to mount.
            pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
        yield Path(folder)
        subprocess.run(["/bin/umount", folder], check=True)


@pytest.fixture
def server(disk: Path) -> Iterator[Postgres]:
    """Run PostgreSQL on it; after a PANIC it ends, and does not try to recover again and again."""
    with quick_server(within=disk, synchronous_commit="on", restart_after_crash="off") as made:
        yield made


@pytest.fixture
def database(server: Postgres) -> Iterator[str]:
    """Put the worker's database there."""
    with migrated_copy(server) as url:
        yield url


def fill(file: Path) -> None:
    """Fill the disk."""
    with suppress(OSError), file.open("wb", buffering=0) as filler:
        while filler.write(MEGABYTE):
            pass


def write_on(db: Db, workflow: int) -> None:
    """Write until neither space nor a prepared file is left."""
    while True:
        db.execute(NEEDS_A_FILE)
        due(db, workflow)


def runs(server: Postgres) -> bool:
    """Return whether the server is running."""
    return server.server is not None and server.server.is_running


@only("single", because="every record waits for PostgreSQL in the same way")
def test_everything_goes_on_when_there_is_space(
    server: Postgres,
    disk: Path,
    database: str,
    worker_environment: Environment,
    novu_standin: NovuStandIn,
    tmp_path: Path,
) -> None:
    """Novu accepts a trigger while nothing can be written, and the acceptance is still recorded."""
    with at_work(database, worker_environment, novu_standin, tmp_path) as (db, workflow, worker):
        fill(disk / "filler")
        with pytest.raises(psycopg.OperationalError):
            write_on(db, workflow)
        novu_standin.clear_faults()
        wait_until(lambda: not runs(server))
        wait_until_unhealthy(worker, "database", "database: ")
        (disk / "filler").unlink()
        server.stop()
        server.start()
        with open_db(database) as again:
            due(again, workflow)
            assert_unharmed(again, novu_standin, worker)
