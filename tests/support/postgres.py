"""Real PostgreSQL servers, and a migrated database for each test."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.support.forked import xnovu
from tests.support.versions import UNPACKED, installed_binaries
from xnovu_poller.dev.postgres import Postgres

ROOT = UNPACKED.parent
TEMPLATE = "migrated"
QUICK: Mapping[str, str] = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "64MB",
    "max_connections": "200",
}
"""Settings of a server whose data need not survive."""

_OWN_IDENTITY = """
UPDATE notify.deployment SET id = gen_random_uuid(), database = system_identifier || '/' || oid
FROM pg_control_system(), pg_database WHERE datname = current_database()"""


@contextmanager
def quick_server(
    bin_dir: Path | None = None, *, within: Path | None = None, **settings: str
) -> Iterator[Postgres]:
    """Run a server in a folder that is deleted afterwards.

    Args:
        bin_dir: its version; None: that of the wheel.
        within: the parent of its folder; None: the default for temporary folders.
        settings: they override those of `QUICK`.
    """
    # Not pytest's own temporary folder, because an unprivileged PostgreSQL cannot enter root's.
    folder = Path(tempfile.mkdtemp(prefix="xnovu-postgres-", dir=within))
    folder.chmod(0o755)
    # Nobody guesses a random password, and a connection costs half of what 4,096 rounds make it cost.
    hashing = {} if bin_dir and int(bin_dir.parent.name) < 16 else {"scram_iterations": "1"}
    server = Postgres(folder, bin_dir=bin_dir, settings={**QUICK, **hashing, **settings})
    try:
        with server:
            with psycopg.connect(server.url(), autocommit=True) as admin:
                password = sql.Literal(admin.info.password)
                admin.execute(sql.SQL("ALTER ROLE postgres PASSWORD {}").format(password))
            yield server
    finally:
        server.erase()
        shutil.rmtree(folder, ignore_errors=True)


def alembic(url: str, *arguments: str) -> None:
    """Run Alembic as an operator does; show its output if it fails."""
    ran = subprocess.run(
        [sys.executable, "-m", "alembic", *arguments],
        cwd=ROOT,
        env={"DATABASE_URL": url, "PATH": os.defpath},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if ran.returncode != 0:
        pytest.fail(f"alembic {' '.join(arguments)}:\n{ran.stdout}", pytrace=False)


_WORKERS_LOGIN = b"""
DO $$ BEGIN
    IF to_regrole('a_worker') IS NULL THEN
        CREATE ROLE a_worker LOGIN PASSWORD 'plain' IN ROLE xnovu_worker;
    END IF;
END $$"""


def as_worker(url: str) -> str:
    """Return a superuser's URL with the login of a worker, which is a member of `xnovu_worker` and nothing else."""
    return re.sub(r"//postgres:[^@]*@", "//a_worker:plain@", url)


@contextmanager
def migrated_copy(server: Postgres) -> Iterator[str]:
    """Yield the URL of a migrated, empty database; drop it afterwards."""
    _make_template(server)
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} {_quickly(connection)}".encode())
    # Do this while the database is empty: a copy with notifications has to prove whose they are.
    with psycopg.connect(server.url(name), autocommit=True) as copy:
        copy.execute(_OWN_IDENTITY)
    try:
        yield server.url(name)
    finally:
        server.drop_database(name)


@cache
def _make_template(server: Postgres) -> None:
    """Migrate the database that is copied, once for each server."""
    upgraded = xnovu("db", "upgrade", DATABASE_URL=server.create_database(TEMPLATE))
    assert upgraded.returncode == 0, upgraded.stderr
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(_WORKERS_LOGIN)


def _quickly(connection: psycopg.Connection) -> str:
    """Return an option to copy the database file by file, which takes half the time of PostgreSQL's default."""
    return "STRATEGY FILE_COPY" if connection.info.server_version >= 150000 else ""


@contextmanager
def empty(server: Postgres) -> Iterator[str]:
    """Yield the URL of a database without our schema; drop it afterwards."""
    name = f"empty_{uuid.uuid4().hex[:12]}"
    try:
        yield server.create_database(name)
    finally:
        server.drop_database(name)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """Run a server for the whole session."""
    with quick_server() as server:
        yield server


@pytest.fixture
def database(postgres_server: Postgres) -> Iterator[str]:
    """Yield the superuser's URL of a migrated, empty database."""
    with migrated_copy(postgres_server) as url:
        yield url


@pytest.fixture
def empty_database(postgres_server: Postgres) -> Iterator[str]:
    """Yield the superuser's URL of a database without our schema."""
    with empty(postgres_server) as url:
        yield url


@pytest.fixture(scope="session", params=installed_binaries(), ids=lambda bin_dir: bin_dir.parent.name)
def other_postgres_server(request: pytest.FixtureRequest) -> Iterator[Postgres]:
    """Run a server of each other installed version in turn."""
    with quick_server(request.param) as server:
        yield server


@pytest.fixture
def other_database(other_postgres_server: Postgres) -> Iterator[str]:
    """Yield the same as `database`, on each other version."""
    with migrated_copy(other_postgres_server) as url:
        yield url


@contextmanager
def _this_or_that(request: pytest.FixtureRequest) -> Iterator[Postgres]:
    """Yield the server of the session, or run one of the requested version."""
    if request.param is None:
        yield request.getfixturevalue("postgres_server")
        return
    with quick_server(request.param) as server:
        yield server


def _name(bin_dir: Path | None) -> str:
    return bin_dir.parent.name if bin_dir else "wheel"


@pytest.fixture(scope="session", params=[None, *installed_binaries()[:1]], ids=_name)
def any_postgres_server(request: pytest.FixtureRequest) -> Iterator[Postgres]:
    """Yield the server of the session, and then a server of the oldest installed version."""
    with _this_or_that(request) as server:
        yield server


@pytest.fixture(scope="session", params=[None, *installed_binaries()], ids=_name)
def every_postgres_server(request: pytest.FixtureRequest) -> Iterator[Postgres]:
    """Yield the server of the session, and then a server of each other installed version."""
    with _this_or_that(request) as server:
        yield server


@pytest.fixture
def any_database(any_postgres_server: Postgres) -> Iterator[str]:
    """Yield the same as `database`, on each version."""
    with migrated_copy(any_postgres_server) as url:
        yield url


@pytest.fixture(scope="module")
def any_unchanged_database(any_postgres_server: Postgres) -> Iterator[str]:
    """Yield a migrated database on each version that the tests of a file share: none of them leaves a change."""
    with migrated_copy(any_postgres_server) as url:
        yield url


@pytest.fixture
def any_empty_database(any_postgres_server: Postgres) -> Iterator[str]:
    """Yield the same as `empty_database`, on each version."""
    with empty(any_postgres_server) as url:
        yield url
