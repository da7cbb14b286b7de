"""The one-machine stack starts and stops as a whole, and keeps its rows."""

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
    """A stack in its own folder."""
    stack = Stack(tmp_path / "stack")
    yield stack
    stack.stop()
    stack.erase()


def pids(stack: Stack) -> list[int]:
    """Return the process ids of all servers."""
    return [server.pid for server in stack.servers]


def has_kept_row(stack: Stack) -> bool:
    """Return whether the row of the earlier start exists."""
    with psycopg.connect(stack.owner_url) as connection:
        found = connection.execute("SELECT to_regclass('kept') IS NOT NULL").fetchone()
        return found == (True,)


async def test_a_started_stack_serves_a_worker(stack: Stack) -> None:
    """Each address in the environment answers, and the schema exists."""
    stack.start()
    with psycopg.connect(stack.owner_url) as connection:
        assert connection.execute("SELECT count(*) FROM notify.ent_notification").fetchone() == (0,)
    await Client.connect(stack.environment["TEMPORAL_ADDRESS"])
    assert [server.name for server in stack.servers] == ["postgres", "temporal", "novu-standin"]


def test_the_workers_login_is_nothing_else(stack: Stack) -> None:
    """A worker refuses a superuser; and the login stays the same at the next start."""
    stack.start()
    with psycopg.connect(stack.environment["DATABASE_URL"]) as connection:
        found = connection.execute(
            "SELECT rolsuper, rolcreaterole, rolbypassrls, pg_has_role('xnovu_worker', 'MEMBER')"
            " FROM pg_roles WHERE rolname = current_user"
        )
        assert found.fetchone() == (False, False, False, True)


def test_rows_and_addresses_survive_a_restart(stack: Stack) -> None:
    """A stack that starts again in its folder continues where it was."""
    stack.start()
    environment = stack.environment
    with psycopg.connect(stack.owner_url) as connection:
        connection.execute(KEEP_A_ROW)
    before = pids(stack)
    stack.stop()
    assert not any(is_alive(pid) for pid in before)
    with Stack(stack.folder) as restarted:
        assert restarted.environment == environment
        assert has_kept_row(restarted)


def test_a_fresh_stack_has_no_former_rows(stack: Stack) -> None:
    """The kept rows are gone, but the schema exists."""
    stack.start()
    with psycopg.connect(stack.owner_url) as connection:
        connection.execute(KEEP_A_ROW)
    stack.stop()
    stack.start(fresh=True)
    assert not has_kept_row(stack)
    with psycopg.connect(stack.owner_url) as connection:
        connection.execute("SELECT FROM notify.ent_notification")


def test_a_second_stack_in_the_folder_is_refused(stack: Stack) -> None:
    """The error names the folder, and the first stack is not disturbed."""
    stack.start()
    with pytest.raises(ServerFailed, match="already runs in"):
        Stack(stack.folder).start(fresh=True)
    assert all(is_alive(pid) for pid in pids(stack))


def test_an_interrupted_start_leaves_nothing(stack: Stack) -> None:
    """Servers already running are stopped again."""
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
    """The stack does not claim to be running."""
    stack.start()
    os.kill(stack.servers[1].pid, signal.SIGKILL)
    with pytest.raises(ServerFailed, match="temporal: ended"):
        stack.watch()
