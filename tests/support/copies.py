"""Copies of a database, as operators make them: restored elsewhere, or made of the server's own files."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from xnovu_poller.dev.postgres import Postgres

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
