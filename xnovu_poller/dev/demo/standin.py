"""The demo's calls to the Novu stand-in: topics, one fault, the ledger."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Self

import httpx

from xnovu_poller.dev.children import ServerFailed
from xnovu_poller.dev.demo.tally import Arrival
from xnovu_poller.dev.sample.enterprises import SampleTopic
from xnovu_poller.lifecycle import Channel


class StandIn:
    """A client of the stand-in, for Novu's own calls and for the control path.

    Every call raises ServerFailed if the stand-in does not answer or refuses the call.
    """

    def __init__(self, url: str, key: str) -> None:
        headers = {"Authorization": f"ApiKey {key}"}
        self._http = httpx.Client(base_url=url, headers=headers, trust_env=False)

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self._http.close()

    def register(self, topic: SampleTopic) -> None:
        """Create a topic with its subscribers; Novu delivers only to topics and subscribers that exist there."""
        subscribers: Sequence[object] = [{"subscriberId": subscriber} for subscriber in topic.subscribers]
        self._call("POST", "/v1/subscribers/bulk", {"subscribers": subscribers})
        self._call("POST", "/v2/topics", {"key": topic.key, "name": topic.name})
        self._call("POST", f"/v2/topics/{topic.key}/subscriptions", {"subscriptions": subscribers})

    def refuse_first(self, transaction_id: str, status: int) -> None:
        """Make the stand-in refuse the next trigger of a transaction with this status."""
        match = {"transaction_id": transaction_id}
        self._call("POST", "/_standin/faults", {"kind": "status", "status": status, "match": match})

    def arrivals(self) -> list[Arrival]:
        """Return every accepted trigger of the ledger."""
        ledger = self._call("GET", "/_standin/ledger?bodies=no").json()
        return [_to_arrival(trigger) for trigger in ledger["triggers"]]

    def _call(self, method: str, path: str, body: object = None) -> httpx.Response:
        try:
            return self._http.request(method, path, json=body).raise_for_status()
        except httpx.HTTPError as error:
            raise ServerFailed("novu-standin", f"{method} {path}: {type(error).__name__}") from error


def _to_arrival(trigger: dict[str, Any]) -> Arrival:
    return Arrival(
        transaction_id=trigger["transaction_id"],
        at=datetime.fromtimestamp(trigger["arrived_ms"] / 1000, UTC),
        channels=frozenset(Channel(name.upper()) for name in trigger["channels"]),
        subscribers=tuple(trigger["subscribers"]),
    )
