"""Both ways of a handoff, and servers of a disaster's own: what is struck there is used by no other test."""

from collections.abc import Iterator

import pytest

from tests.support.modes import MODES, Mode
from tests.support.postgres import migrated_copy, quick_server
from tests.support.rows import Db, open_db
from tests.support.temporal import temporal_of
from xnovu_poller.dev.postgres import Postgres
from xnovu_poller.dev.temporal import Temporal


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> Mode:
    """Give the way in which notifications are handed off; a disaster has to end well in both."""
    return MODES[request.param]


@pytest.fixture
def worker_environment(worker_environment: dict[str, str], mode: Mode) -> dict[str, str]:
    """Give what a worker of this test's servers has to be told, the size of its groups too."""
    return {**worker_environment, **mode.settings}


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[Postgres]:
    """Run a PostgreSQL that may be struck."""
    with quick_server() as server:
        yield server


@pytest.fixture
def own_database(own_postgres: Postgres) -> Iterator[str]:
    """Give the superuser's URL of a migrated, empty database on it."""
    with migrated_copy(own_postgres) as url:
        yield url


@pytest.fixture
def own_db(own_database: str) -> Iterator[Db]:
    """Give the superuser's connection to it; it breaks with the server."""
    with open_db(own_database) as connection:
        yield connection


@pytest.fixture
def own_temporal() -> Iterator[Temporal]:
    """Run a Temporal that may be struck; its workflows outlive a restart on the same port."""
    with temporal_of(Temporal, keep=True) as server:
        yield server
