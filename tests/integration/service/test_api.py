"""The life of a process of the API."""

import pytest

from tests.support.api import served_api
from xnovu_poller.errors import ConfigError


async def test_a_taken_port_is_a_fault_of_the_settings(database: str) -> None:
    """The first process goes on."""
    async with served_api(database) as api:
        with pytest.raises(
            ConfigError, match=r"API_PORT: cannot listen on 127.0.0.1:\d+ \(Address already in use\)"
        ):
            async with served_api(database, API_PORT=int(api.url.rpartition(":")[2])):
                pass
        assert (await api.client().get("/api/nothing")).json()["code"] == "not_found"
