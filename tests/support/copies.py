"""Copies of a database, as operators make them: restored elsewhere, or of the server's very files."""

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
    """Give the URL of a copy, which is dropped afterwards; nobody may be connected to the original meanwhile."""
    name = f"copy_{uuid.uuid4().hex[:12]}"
    url = server.create_database(name, template=original.rpartition("/")[2])
    try:
        yield url
    finally:
        server.drop_database(name)


@contextmanager
def copied_by_files(server: Postgres, original: str) -> Iterator[str]:
    """Give a copy that cannot tell itself from the original, as one of the whole server's files cannot."""
    with copied(server, original) as url:
        with psycopg.connect(url, autocommit=True) as copy:
            copy.execute(_SAME_FILES)
        yield url
