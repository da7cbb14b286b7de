"""The opener of the commands: what it checks before a command gets its connections."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from tests.support.logs import logged_in_full
from xnovu_poller.cli.connect import database as open_database
from xnovu_poller.errors import SchemaBehind


@pytest.fixture(autouse=True)
def _on_these_servers(worker_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Point the settings to the test's servers, and restore the log afterwards."""
    for name, value in worker_environment.items():
        monkeypatch.setenv(name, value)
    with logged_in_full():
        yield


async def test_a_command_gets_the_database() -> None:
    """It is at our migration."""
    async with open_database() as engine, engine.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM notify.ent_notification_rule")) == 0


async def test_a_database_without_the_schema_is_refused(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command does not start."""
    monkeypatch.setenv("DATABASE_URL", empty_database)

    with pytest.raises(SchemaBehind, match="xnovu db upgrade"):
        async with open_database():
            pytest.fail("the database is not checked")
