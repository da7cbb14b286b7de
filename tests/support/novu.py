"""A Novu stand-in on a free port, whose answers can be scripted and whose deliveries can be counted."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from tests.support.waiting import wait_until
from xnovu_poller.dev.standin.environment import Environment
from xnovu_poller.dev.standin.serve import build_server, format_address, listen


class NovuStandIn:
    """A running stand-in, used by a test through Novu's API and its control API."""

    def __init__(self, url: str) -> None:
        """Take the address."""
        self.url = url
        self._control = httpx.Client(base_url=f"{url}/_standin", timeout=10)

    def fault(self, kind: str, **line: object) -> None:
        """Add a line to the script: `match`, `times`, `status`, `seconds` and so on, see `Fault`."""
        self._control.post("/faults", json={"kind": kind, **line}).raise_for_status()

    def faults(self) -> list[dict[str, Any]]:
        """Give what is left of the script."""
        left: list[dict[str, Any]] = self._control.get("/faults").raise_for_status().json()
        return left

    def clear_faults(self) -> None:
        """Drop the script, and end every call that hangs."""
        self._control.delete("/faults").raise_for_status()

    def switch(self, **switches: object) -> None:
        """Set switches: secret_key, idempotency, rate_limit, limits, drop_repeats, workflows_known."""
        self._control.patch("/switches", json=switches).raise_for_status()

    def workflow(self, identifier: str, **told: object) -> None:
        """Tell of a workflow: known, active, delayed, channels, payload_schema."""
        self._control.put(f"/workflows/{identifier}", json=told).raise_for_status()

    def deliver(self) -> int:
        """Deliver what delayed workflows hold back; give how many triggers that were."""
        delivered: int = self._control.post("/deliver").raise_for_status().json()["delivered"]
        return delivered

    def ledger(self, **filters: str) -> dict[str, Any]:
        """Give triggers, deliveries and counts, filtered by transaction_id, workflow, enterprise."""
        account: dict[str, Any] = self._control.get("/ledger", params=filters).raise_for_status().json()
        return account

    def deliveries(self, **filters: str) -> Counter[tuple[str, str]]:
        """Count deliveries by (transaction id, subscriber): one each, or something went wrong."""
        return Counter(
            {
                (count["transaction_id"], count["subscriber_id"]): count["deliveries"]
                for count in self.ledger(**filters)["counts"]
            }
        )

    def stats(self) -> dict[str, int]:
        """Give the counts of calls, triggers, deliveries, duplicates and so on."""
        counts: dict[str, int] = self._control.get("/stats").raise_for_status().json()
        return counts

    def reset(self) -> None:
        """Forget everything, end what hangs, put the switches back."""
        self._control.post("/reset").raise_for_status()

    def close(self) -> None:
        """Close the connection to the control API."""
        self._control.close()


@contextmanager
def running_standin(environment: Environment | None = None) -> Iterator[NovuStandIn]:
    """Run a stand-in in a thread of this process, on a free port."""
    server = build_server(environment or Environment())
    listener = listen("127.0.0.1", 0)
    standin = NovuStandIn(format_address(listener))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="novu-standin")
    thread.start()
    try:
        wait_until(lambda: server.started)
        yield standin
        standin.reset()
    finally:
        standin.close()
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="session")
def novu_standin_of_session() -> Iterator[NovuStandIn]:
    """Run one stand-in for the whole session."""
    with running_standin() as standin:
        yield standin


@pytest.fixture
def novu_standin(novu_standin_of_session: NovuStandIn) -> NovuStandIn:
    """Give the session's stand-in, with nothing remembered."""
    novu_standin_of_session.reset()
    return novu_standin_of_session
