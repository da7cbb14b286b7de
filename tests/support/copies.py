"""Copies of a database, as operators make them: restored elsewhere, or made of the server's own files."""

import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from xnovu_poller.dev.postgres import Postgres, wheel_binaries

_SAME_FILES = """
UPDATE notify.deployment SET database = system_identifier || '/' || oid
FROM pg_control_system(), pg_database WHERE datname = current_database()"""


@contextmanager
def copied(server: Postgres, original: str) -> Iterator[str]:
    """Yield the URL of a copy and drop it afterwards; nobody may be connected to the original meanwhile."""
    name = f"copy_{uuid.uuid4().hex[:12]}"
    url = server.create_database(name, template=original.rpartition("/")[2])
    try:
        yield url
    finally:
        server.drop_database(name)


@contextmanager
def copied_by_files(server: Postgres, original: str) -> Iterator[str]:
    """Yield a copy that looks like the original to itself, as a copy of the server's files does."""
    with copied(server, original) as url:
        with psycopg.connect(url, autocommit=True) as copy:
            copy.execute(_SAME_FILES)
        yield url


def dump(url: str, file: Path, meanwhile: Callable[[], object]) -> None:
    """Dump a database; call a function again and again meanwhile."""
    with subprocess.Popen(
        [wheel_binaries() / "pg_dump", "--format=custom", f"--file={file}", url]
    ) as dumping:
        while dumping.poll() is None:
            meanwhile()
    assert dumping.returncode == 0


@contextmanager
def restored(server: Postgres, file: Path) -> Iterator[str]:
    """Yield the URL of a new database into which a dump was restored, and drop it afterwards."""
    name = f"restored_{uuid.uuid4().hex[:12]}"
    url = server.create_database(name)
    try:
        subprocess.run(
            [wheel_binaries() / "pg_restore", "--exit-on-error", f"--dbname={url}", file], check=True
        )
        yield url
    finally:
        server.drop_database(name)
