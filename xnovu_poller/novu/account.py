"""What the account at Novu is allowed: its rate limits, and whether Novu drops repeats."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from uuid import uuid4

import httpx

from xnovu_poller.errors import NovuError, NovuUnanswered
from xnovu_poller.novu import answers
from xnovu_poller.novu.calls import Client, Json
from xnovu_poller.novu.client import TRIGGER

_BURST = re.compile(r"burst=([0-9]{1,9})")
_LEVEL = re.compile(r'serviceLevel="([a-z0-9_-]{1,40})"')

SUBSCRIBER = "xnovu-doctor"
"""The subscriber of the probes: it has no address, so nobody gets anything."""

_LOOKS, _PAUSE_SECONDS = 30, 1.0
"""How often, and at which pauses, a probe looks whether Novu's worker has taken a trigger from its queue."""

_WAIT: Json = {
    "name": "wait",
    "type": "delay",
    "controlValues": {"type": "regular", "amount": 1, "unit": "hours"},
}
"""A workflow with this step only sends nothing."""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """The rate limit of triggers.

    Attributes:
        rate: calls a second.
        burst: calls at once; a bulk call counts as a hundred.
        level: the plan, as Novu calls it; None if it does not name one.
    """

    rate: int
    burst: int
    level: str | None


class NovuAccount:
    """The account behind a key. Close it with `aclose`.

    Args:
        url: Novu's address.
        secret_key: the environment's key.
        timeout: the longest duration of one call.

    Raises:
        ConfigError: the certificates of the environment cannot be used.
    """

    def __init__(self, url: str, secret_key: str, timeout: timedelta) -> None:
        self._client = Client(url, secret_key, timeout)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._client.aclose()

    async def check_key(self) -> None:
        """Make a call that changes nothing.

        Raises:
            NovuError: Novu does not answer, or does not accept the key.
        """
        answers.read_content(await self._client.send("GET", "v2/workflows?limit=1"))

    async def read_limit(self) -> RateLimit | None:
        """Return the rate limit of triggers; None if there is none. To see it, cancel a trigger that does not exist.

        Raises:
            NovuError: Novu does not answer.
        """
        answer = await self._client.send("DELETE", f"{TRIGGER}/{_name()}")
        answers.read_content(answer)
        rate, policy = answer.headers.get("RateLimit-Limit", ""), answer.headers.get("RateLimit-Policy", "")
        if not re.fullmatch("[0-9]{1,9}", rate):
            return None
        burst, level = _BURST.search(policy), _LEVEL.search(policy)
        return RateLimit(int(rate), int(burst[1]) if burst else int(rate), level and level[1])

    async def honours_keys(self) -> bool:
        """Return whether Novu repeats its answer to a repeated `Idempotency-Key`: trigger a workflow that does not exist.

        Raises:
            NovuError: Novu does not answer, or accepts the trigger.
        """
        name, headers = _name(), {"Idempotency-Key": _name()}
        event = {"name": name, "to": {"subscriberId": SUBSCRIBER}, "payload": {}}
        first, again = [await self._client.send("POST", TRIGGER, event, headers) for _ in range(2)]
        if first.status_code != HTTPStatus.UNPROCESSABLE_ENTITY:
            raise _explain(first)
        replay: str = again.headers.get("Idempotency-Replay", "")
        return replay.lower() == "true"

    async def honours_transaction_ids(self) -> bool:
        """Return whether Novu drops the second trigger of a transaction id.

        It creates a workflow that only waits for an hour, and deletes it afterwards with its subscriber. If the process
        dies here, both stay; they send nothing.

        Raises:
            NovuError: Novu does not answer, refuses the workflow, or does not take the triggers from its queue.
        """
        name, ids = _name(), (_name(), _name())
        document = {"name": name, "workflowId": name, "active": True, "steps": [_WAIT]}
        _require(await self._client.send("POST", "v2/workflows", document))
        try:
            event = {"name": name, "to": {"subscriberId": SUBSCRIBER}, "payload": {}}
            for id_ in (ids[0], *ids):
                _require(await self._client.send("POST", TRIGGER, event | {"transactionId": id_}))
            # Novu takes them from its queue in order, so the last shows that the repeat was taken too.
            await self._wait_for(ids[1])
            return len(await self._list(ids[0])) == 1
        finally:
            for path in (
                *(f"{TRIGGER}/{id_}" for id_ in ids),
                f"v2/workflows/{name}",
                f"v2/subscribers/{SUBSCRIBER}",
            ):
                await self._client.send("DELETE", path)

    async def _wait_for(self, transaction_id: str) -> None:
        for _ in range(_LOOKS):
            if await self._list(transaction_id):
                return
            await asyncio.sleep(_PAUSE_SECONDS)
        raise NovuUnanswered("its queue does not move")

    async def _list(self, transaction_id: str) -> Sequence[object]:
        """Return the triggers of a transaction id that Novu's worker has taken."""
        answer = await self._client.send("GET", f"v1/notifications?transactionId={transaction_id}")
        found = answers.read_content(answer)
        if isinstance(found, dict):
            found = found.get("data")
        if not isinstance(found, list):
            raise NovuUnanswered("malformed answer")
        return found


def _name() -> str:
    return f"xnovu-doctor-{uuid4().hex}"


def _require(answer: httpx.Response) -> None:
    """Require a success.

    Raises:
        NovuError: it is none.
    """
    answers.read_content(answer)


def _explain(answer: httpx.Response) -> NovuError:
    try:
        answers.read_content(answer)
    except NovuError as error:
        return error
    return NovuUnanswered("a workflow that does not exist was triggered")
