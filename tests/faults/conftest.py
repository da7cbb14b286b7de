"""Run each disaster in both ways of a handoff, some in the default too; give it servers of its own, because it breaks them."""

from collections.abc import Iterator

import pytest

from tests.support.modes import EVERY_MODE, MODES, Mode
from tests.support.postgres import migrated_copy, quick_server
from tests.support.rows import Db, open_db
from tests.support.temporal import temporal_of
from xnovu_poller.dev.postgres import Postgres
from xnovu_poller.dev.temporal import Temporal


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> Mode:
    """Return the way in which notifications are handed off; a disaster must end well in both."""
    return EVERY_MODE[request.param]


@pytest.fixture
def worker_environment(worker_environment: dict[str, str], mode: Mode) -> dict[str, str]:
    """Return the environment of a worker of this test, with the size of its groups."""
    return {**worker_environment, **mode.settings}


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[Postgres]:
    """Run a PostgreSQL server that a test may break; a crash loses none of its commits."""
    with quick_server(synchronous_commit="on") as server:
        yield server


@pytest.fixture
def own_database(own_postgres: Postgres) -> Iterator[str]:
    """Return the superuser's URL of a migrated, empty database on it."""
    with migrated_copy(own_postgres) as url:
        yield url


@pytest.fixture
def own_db(own_database: str) -> Iterator[Db]:
    """Return the superuser's connection to it; it breaks with the server."""
    with open_db(own_database) as connection:
        yield connection


@pytest.fixture
def own_temporal() -> Iterator[Temporal]:
    """Run a Temporal server that a test may break; its workflows survive a restart on the same port."""
    with temporal_of(Temporal, keep=True) as server:
        yield server
