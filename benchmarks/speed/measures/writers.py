"""What a wake-up costs the producers: 16 of them insert with our trigger, without it, and with a naive trigger.

They insert all the time, on 16 connections. The trigger is switched every second, and the inserts of each way are added
up, so that other load of the machine hits all three alike.
"""

import asyncio
import ctypes
import multiprocessing
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing.synchronize import Barrier
from typing import TypeAlias

import psycopg
from psycopg.pq import ExecStatus

from benchmarks.speed import rows
from benchmarks.speed.scene import Figures, Scene
from xnovu_poller.store.listen import HEARD

WRITERS = 16
PROCESSES = 2
SLOT_SECONDS = 1.0
_SETTLE_SECONDS = 0.1
"""Each session plans again after a switch; that is not counted."""

Counts: TypeAlias = "ctypes.Array[ctypes.c_long]"
"""The commits of each writer, in memory that the processes share."""

_SPAWN = multiprocessing.get_context("spawn")

_INSERT = b"""
INSERT INTO notify.ent_notification (enterprise_id, name, notification_workflow_id, recipients, payload)
VALUES ('acme', 'order shipped', 1, '{subscriber-1}', jsonb_build_object('note', rpad('', 580, 'a word or two ')))"""

# The naive wake-up notifies at every commit.
_NAIVE = """
CREATE FUNCTION notify.wake_naive() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('xnovu_due', '') WHERE EXISTS (
        SELECT FROM inserted WHERE publish_status = 'PUBLISH' AND NOT deactivated AND scheduled_for IS NULL);
    RETURN NULL;
END $$;
CREATE TRIGGER wake_naive AFTER INSERT ON notify.ent_notification
    REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION notify.wake_naive();
"""

_SWITCHES = {
    "with": "ENABLE TRIGGER wake, DISABLE TRIGGER wake_naive",
    "without": "DISABLE TRIGGER wake, DISABLE TRIGGER wake_naive",
    "naive": "DISABLE TRIGGER wake, ENABLE TRIGGER wake_naive",
}


async def measure(scene: Scene) -> Figures:
    """Insert from 16 connections while a listener is connected; return the inserts per second of each way."""
    url = await scene.database("writers")
    rows.prepare(url)
    return await asyncio.to_thread(_measure, url, scene.sizes.writer_seconds)


def _measure(url: str, seconds: float) -> Figures:
    with ExitStack() as stack:
        admin = stack.enter_context(psycopg.connect(url, autocommit=True))
        admin.execute(_NAIVE.encode())
        stack.enter_context(_listening(url))
        counts = stack.enter_context(_writing(url))
        _slot(admin, "without", counts)  # all connections are there, and the table is no longer empty
        done, spent = dict.fromkeys(_SWITCHES, 0), dict.fromkeys(_SWITCHES, 0.0)
        ways = list(_SWITCHES)
        for _ in range(max(round(seconds / SLOT_SECONDS), 1)):
            for way in ways:
                inserted, took = _slot(admin, way, counts)
                done[way] += inserted
                spent[way] += took
            ways.append(ways.pop(0))
    return {f"writers_{way}_s": done[way] / spent[way] for way in _SWITCHES}


def _slot(admin: psycopg.Connection, way: str, counts: Counts) -> tuple[int, float]:
    """Let them write in one of the ways for a while; return the number of committed rows, and the seconds."""
    admin.execute(f"ALTER TABLE notify.ent_notification {_SWITCHES[way]}".encode())
    time.sleep(_SETTLE_SECONDS)
    before, moment = sum(counts), time.monotonic()
    time.sleep(SLOT_SECONDS)
    return sum(counts) - before, time.monotonic() - moment


@contextmanager
def _listening(url: str) -> Iterator[None]:
    """Receive the wake-ups, as a worker does, because a notification costs less without a listener."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("LISTEN xnovu_due")
        connection.execute(HEARD)
        stopped = threading.Event()

        def listen() -> None:
            while not stopped.is_set():
                if list(connection.notifies(timeout=0.1, stop_after=1)):
                    connection.execute(HEARD)

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield
        finally:
            stopped.set()
            thread.join()


@contextmanager
def _writing(url: str) -> Iterator[Counts]:
    """Run the writers; yield the commits of each so far.

    Raises:
        RuntimeError: a writer failed.
    """
    counts, stopped = _SPAWN.RawArray(ctypes.c_long, WRITERS), _SPAWN.RawValue(ctypes.c_bool, False)  # noqa: FBT003 - its first value
    ready = _SPAWN.Barrier(PROCESSES + 1)
    each = WRITERS // PROCESSES
    processes = [
        _SPAWN.Process(target=_write, args=(url, counts, range(first, first + each), stopped, ready))
        for first in range(0, WRITERS, each)
    ]
    for process in processes:
        process.start()
    try:
        ready.wait(timeout=60)
        yield counts
    finally:
        stopped.value = True
        for process in processes:
            process.join()
    if any(process.exitcode for process in processes):
        raise RuntimeError("a writer failed")


def _write(
    url: str,
    counts: Counts,
    places: range,
    stopped: ctypes.c_bool,
    ready: Barrier,
) -> None:
    """Insert rows on each connection with as little of our own CPU as possible, because the server is measured."""
    with ThreadPoolExecutor(len(places)) as threads:
        connections = list(threads.map(lambda _: psycopg.connect(url, autocommit=True), places))
        ready.wait(timeout=60)
        runs = [
            threads.submit(_insert, connection, counts, place, stopped)
            for connection, place in zip(connections, places, strict=True)
        ]
        for run in runs:
            run.result()
        for connection in connections:
            connection.close()


def _insert(
    connection: psycopg.Connection,
    counts: Counts,
    place: int,
    stopped: ctypes.c_bool,
) -> None:
    wire = connection.pgconn
    wire.prepare(b"insert", _INSERT)
    while not stopped.value:
        answer = wire.exec_prepared(b"insert", None)
        if answer.status != ExecStatus.COMMAND_OK:
            raise RuntimeError(answer.error_message.decode(errors="replace"))
        counts[place] += 1
