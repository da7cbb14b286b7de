"""The opener of the commands that need Temporal too."""

from collections.abc import Iterator

import pytest

from tests.support.logs import logged_in_full
from xnovu_poller.cli.connect_temporal import database_and_temporal
from xnovu_poller.errors import ConfigError, TemporalUnavailable


@pytest.fixture(autouse=True)
def _on_these_servers(worker_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Point the settings to the test's servers, and restore the log afterwards."""
    for name, value in worker_environment.items():
        monkeypatch.setenv(name, value)
    with logged_in_full():
        yield


async def test_a_command_gets_temporal_and_the_schedules() -> None:
    """The schedules are those of the database's deployment, and there are none yet."""
    async with database_and_temporal() as connected:
        assert await connected.schedules.list() == {}
        assert connected.client.namespace == "default"


async def test_an_absent_temporal_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the setting."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")

    with pytest.raises(TemporalUnavailable, match="check TEMPORAL_ADDRESS"):
        async with database_and_temporal():
            pytest.fail("Temporal is not reached")


async def test_a_wrong_setting_is_found_before_any_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is not reached either."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", "temporal")
    monkeypatch.setenv("DATABASE_URL", "postgresql://127.0.0.1:1/none")

    with pytest.raises(ConfigError, match="TEMPORAL_ADDRESS: must have the form host:port"):
        async with database_and_temporal():
            pytest.fail("the settings are not checked")
