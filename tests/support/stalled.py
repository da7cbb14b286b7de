"""A statement of a worker that PostgreSQL does not finish: it waits for no lock, so no timeout of ours ends it."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import psycopg

from tests.support.rows import Db
from tests.support.waiting import WITHIN, eventually

_STALL = """
CREATE TABLE public.stall ();
INSERT INTO public.stall DEFAULT VALUES;
CREATE FUNCTION public.stall() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    WHILE EXISTS (SELECT FROM public.stall) LOOP
        PERFORM pg_sleep(0.01);
    END LOOP;
    RETURN NEW;
END $$;
CREATE TRIGGER stall BEFORE {writes} EXECUTE FUNCTION public.stall();"""

_STALLED = (
    "SELECT FROM pg_stat_activity WHERE application_name = %s AND datname = current_database()"
    " AND wait_event = 'PgSleep'"
)


def stalling(db: Db, state: str) -> AbstractContextManager[None]:
    """Stall every write of a state within the context."""
    return _stalling(
        db, f"UPDATE ON notify.ent_notification FOR EACH ROW WHEN (NEW.notification_status = '{state}')"
    )


def stalling_chunks(db: Db) -> AbstractContextManager[None]:
    """Stall every write of the rows of chunks within the context."""
    return _stalling(db, "INSERT ON notify.ent_notification_delivery FOR EACH ROW")


@contextmanager
def _stalling(db: Db, writes: str) -> Iterator[None]:
    db.execute(_STALL.format(writes=writes))
    try:
        yield
    finally:
        db.execute("DELETE FROM public.stall")


async def until_stalled(database_url: str, application_name: str, *, within: float = WITHIN) -> None:
    """Wait until a connection with this application name executes a write that does not end."""
    connection = await psycopg.AsyncConnection.connect(database_url, autocommit=True)
    async with connection:

        async def stalled() -> bool:
            return (await connection.execute(_STALLED, [application_name])).rowcount > 0

        await eventually(stalled, within=within)
