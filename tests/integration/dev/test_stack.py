"""The one-machine stack: up as a whole, down as a whole, and its rows kept."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from temporalio.client import Client

from tests.support.programs import is_alive
from xnovu_poller.dev.children import ServerFailed
from xnovu_poller.dev.stack import Stack

KEEP_A_ROW = "CREATE TABLE kept AS SELECT 1 AS one"


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """Describe a stack in a folder of its own."""
    stack = Stack(tmp_path / "stack")
    yield stack
    stack.stop()
    stack.erase()


def pids(stack: Stack) -> list[int]:
    """Give the process ids of all servers."""
    return [server.pid for server in stack.servers]


def has_kept_row(stack: Stack) -> bool:
    """Look whether the row of before is there."""
    with psycopg.connect(stack.environment["DATABASE_URL"]) as connection:
        found = connection.execute("SELECT to_regclass('kept') IS NOT NULL").fetchone()
        return found == (True,)


async def test_a_started_stack_serves_a_worker(stack: Stack) -> None:
    """Each address in the environment answers, and the schema is there."""
    stack.start()
    with psycopg.connect(stack.environment["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT count(*) FROM notify.ent_notification").fetchone() == (0,)
    await Client.connect(stack.environment["TEMPORAL_ADDRESS"])
    assert [server.name for server in stack.servers] == ["postgres", "temporal", "novu-standin"]


def test_rows_and_addresses_survive_a_restart(stack: Stack) -> None:
    """A stack started again in its folder goes on where it was."""
    stack.start()
    environment = stack.environment
    with psycopg.connect(environment["DATABASE_URL"]) as connection:
        connection.execute(KEEP_A_ROW)
    before = pids(stack)
    stack.stop()
    assert not any(is_alive(pid) for pid in before)
    with Stack(stack.folder) as again:
        assert again.environment == environment
        assert has_kept_row(again)


def test_a_fresh_stack_forgets(stack: Stack) -> None:
    """What was kept is gone, the schema is not."""
    stack.start()
    with psycopg.connect(stack.environment["DATABASE_URL"]) as connection:
        connection.execute(KEEP_A_ROW)
    stack.stop()
    stack.start(fresh=True)
    assert not has_kept_row(stack)
    with psycopg.connect(stack.environment["DATABASE_URL"]) as connection:
        connection.execute("SELECT FROM notify.ent_notification")


def test_a_second_stack_in_the_folder_is_refused(stack: Stack) -> None:
    """The error says where, and the first is not disturbed."""
    stack.start()
    with pytest.raises(ServerFailed, match="already runs in"):
        Stack(stack.folder).start(fresh=True)
    assert all(is_alive(pid) for pid in pids(stack))


def test_a_start_that_is_interrupted_leaves_nothing(stack: Stack) -> None:
    """What was already up is stopped again."""
    started: list[int] = []

    def interrupt(doing: str) -> None:
        started.extend(pids(stack))
        if "stand-in" in doing:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stack.start(report=interrupt)
    assert started
    assert not any(is_alive(pid) for pid in started)


def test_a_server_that_ends_is_noticed(stack: Stack) -> None:
    """The stack does not pretend to be up."""
    stack.start()
    os.kill(stack.servers[1].pid, signal.SIGKILL)
    with pytest.raises(ServerFailed, match="temporal: ended"):
        stack.watch()
