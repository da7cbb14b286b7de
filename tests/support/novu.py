"""A Novu stand-in on a free port: a test scripts its answers and counts its deliveries."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from tests.support.waiting import WITHIN, wait_until
from xnovu_poller.dev.standin.environment import Environment
from xnovu_poller.dev.standin.serve import build_server, format_address, listen


class NovuStandIn:
    """A running stand-in, used by a test through Novu's API and its control API."""

    def __init__(self, url: str) -> None:
        """Remember the address."""
        self.url = url
        self._control = httpx.Client(base_url=f"{url}/_standin", timeout=WITHIN)

    def fault(self, kind: str, **options: object) -> None:
        """Add a fault to the script: `match`, `times`, `status`, `seconds` and so on, see `Fault`."""
        self._control.post("/faults", json={"kind": kind, **options}).raise_for_status()

    def faults(self) -> list[dict[str, Any]]:
        """Return the rest of the script."""
        left: list[dict[str, Any]] = self._control.get("/faults").raise_for_status().json()
        return left

    def clear_faults(self) -> None:
        """Drop the script, and end every call that hangs."""
        self._control.delete("/faults").raise_for_status()

    def switch(self, **switches: object) -> None:
        """Set switches: secret_key, idempotency, rate_limit, limits, drop_repeats, workflows_known."""
        self._control.patch("/switches", json=switches).raise_for_status()

    def workflow(self, identifier: str, **behaviour: object) -> None:
        """Set the behaviour of a workflow: known, active, delayed, channels, payload_schema."""
        self._control.put(f"/workflows/{identifier}", json=behaviour).raise_for_status()

    def deliver(self) -> int:
        """Deliver the triggers that delayed workflows hold back; return their number."""
        delivered: int = self._control.post("/deliver").raise_for_status().json()["delivered"]
        return delivered

    def ledger(self, **filters: str) -> dict[str, Any]:
        """Return triggers, deliveries and counts, filtered by transaction_id, workflow or enterprise."""
        account: dict[str, Any] = self._control.get("/ledger", params=filters).raise_for_status().json()
        return account

    def deliveries(self, **filters: str) -> Counter[tuple[str, str]]:
        """Count deliveries by (transaction id, subscriber); every count should be one."""
        return Counter(
            {
                (count["transaction_id"], count["subscriber_id"]): count["deliveries"]
                for count in self.ledger(**filters)["counts"]
            }
        )

    def stats(self) -> dict[str, int]:
        """Return the counts of calls, triggers, deliveries, duplicates and so on."""
        counts: dict[str, int] = self._control.get("/stats").raise_for_status().json()
        return counts

    def reset(self) -> None:
        """Forget everything, end calls that hang, and reset the switches."""
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
    """Run a stand-in for the whole session."""
    with running_standin() as standin:
        yield standin


@pytest.fixture
def novu_standin(novu_standin_of_session: NovuStandIn) -> NovuStandIn:
    """Return the session's stand-in after a reset."""
    novu_standin_of_session.reset()
    return novu_standin_of_session
