"""Novu's workflows in the stand-in, and a sync with them."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.support.novu import NovuStandIn
from tests.support.rows import Db, a_workflow
from tests.support.waiting import WITHIN
from xnovu_poller.novu.workflows import NovuWorkflows


@pytest.fixture
async def novu(novu_standin: NovuStandIn) -> AsyncIterator[NovuWorkflows]:
    """A client of the stand-in's workflows."""
    client = NovuWorkflows(novu_standin.url, "key-1", timedelta(seconds=30))
    yield client
    await client.aclose()


class Person:
    """Somebody who uses Novu too."""

    def __init__(self, client: httpx.Client) -> None:
        """Remember the connection."""
        self._client = client

    def call(self, method: str, path: str, **members: object) -> Any:  # noqa: ANN401 - JSON
        """Make a call with a body of some members; return the data of the answer."""
        answer = self._client.request(method, f"/v2/{path}", json=members or None).raise_for_status()
        return answer.json()["data"] if answer.content else None

    def read(self, key: str) -> dict[str, Any]:
        """Return a workflow as Novu has it."""
        found: dict[str, Any] = self.call("GET", f"workflows/{key}")
        return found

    def keys(self) -> list[str]:
        """Return the identifiers of the first page."""
        return [found["workflowId"] for found in self.call("GET", "workflows")["workflows"]]


@pytest.fixture
def person(novu_standin: NovuStandIn) -> Iterator[Person]:
    """Somebody who uses Novu too."""
    headers = {"Authorization": "ApiKey person"}
    with httpx.Client(base_url=novu_standin.url, headers=headers, timeout=WITHIN) as client:
        yield Person(client)


def a_dynamic(
    db: Db, key: str = "welcome", *channels: str, enterprise: str | None = None, **columns: object
) -> int:
    """Insert a published DYNAMIC workflow."""
    chosen: dict[str, object] = {"workflow_type": "DYNAMIC", "default_channels": list(channels or ("EMAIL",))}
    return a_workflow(db, enterprise=enterprise, key=key, **(chosen | columns))
