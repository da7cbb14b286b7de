"""Listen as the worker does, and count the notifications of the database."""

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import sql

from tests.support.rows import Db, open_db
from tests.support.waiting import WITHIN


@contextmanager
def listening(url: str, channel: str) -> Iterator[Db]:
    """Yield a connection that listens to a channel."""
    with open_db(url) as connection:
        connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        yield connection


def count_heard(ear: Db, db: Db, channel: str) -> int:
    """Count the notifications so far; a notification of our own marks the end."""
    db.execute("SELECT pg_notify(%s, 'end')", [channel])
    for count, notified in enumerate(ear.notifies(timeout=WITHIN)):
        if notified.payload == "end":
            return count
    raise AssertionError("not even our own notification arrived")
