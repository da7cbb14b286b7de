"""`xnovu_poller.client.http` against the real API, over a wire that loses answers."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest
from typing_extensions import override

from tests.support.api import ServedApi, served_api
from tests.support.rows import Db, a_workflow, open_db
from xnovu_poller.client import (
    AccessRefused,
    ApiUnavailable,
    ClientError,
    DuplicateRefused,
    Enqueued,
    Notification,
    NotificationRefused,
    WorkflowUnknown,
)
from xnovu_poller.client import http as client_http
from xnovu_poller.client.http import AsyncClient, Client
from xnovu_poller.store.api_keys import Scope
from xnovu_poller.testing import recorded

SHIPPED = Notification("order-shipped", ["user-17"], {"order": 42, "city": "Zürich"}, dedup_key="order-42")


class LossyWire(httpx.AsyncHTTPTransport):
    """Carries each request to the API, and answers the first as a list of faults has it.

    Attributes:
        faults: a status with its Retry-After, which stands in front of the API; or an error after the API has answered.
        sent: the bodies of all tries.
    """

    def __init__(self, *faults: tuple[int, str] | Exception) -> None:
        super().__init__()
        self.faults = list(faults)
        self.sent: list[bytes] = []

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request.content)
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, tuple):
            return httpx.Response(fault[0], headers={"Retry-After": fault[1]} if fault[1] else {})
        answer = await super().handle_async_request(request)
        if fault is not None:
            await answer.aread()
            raise fault
        return answer


@pytest.fixture
async def api(database: str) -> AsyncIterator[ServedApi]:
    """Serve the API on a database with a workflow."""
    with open_db(database) as db:
        a_workflow(db)
    async with served_api(database) as served:
        yield served


async def test_calls_are_repeated_until_they_are_answered_and_written_once(
    api: ServedApi, db: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost answers, a gateway without the API, a throttle; with one key of each notification at every try."""
    monkeypatch.setattr(client_http, "_FIRST_PAUSE", 0.001)
    key = await api.key()
    wire = LossyWire(httpx.ReadError("lost"), (503, "0"), (429, ""), httpx.ReadTimeout("late"))
    async with AsyncClient(api.url, key, transport=wire) as client:
        without_key = await client.enqueue(replace(SHIPPED, dedup_key=None))
        assert len(wire.sent) == 5
        assert len(set(wire.sent)) == 1
        wire.faults = [httpx.ReadError("lost")]
        made = await client.enqueue_all([SHIPPED, replace(SHIPPED, dedup_key=None), SHIPPED])
        assert made[0].id == made[2].id
        assert await client.enqueue(SHIPPED) == Enqueued(made[0].id, is_new=False)

    rows = db.execute("SELECT id, payload, dedup_key FROM notify.ent_notification ORDER BY id").fetchall()
    assert [row["id"] for row in rows] == [without_key.id, made[0].id, made[1].id]
    assert rows[0]["payload"] == SHIPPED.payload
    assert rows[0]["dedup_key"].startswith("http-")


async def test_a_sync_client_and_each_refusal(api: ServedApi, db: Db) -> None:
    """The sentences are those of the API."""
    key, reader = await api.key(), await api.key(scopes=[Scope.READ])

    def call() -> None:
        with Client(api.url, key) as client:
            assert client.enqueue(SHIPPED).is_new
            assert [
                each.is_new for each in client.enqueue_all([SHIPPED, replace(SHIPPED, dedup_key="2")])
            ] == [False, True]
            for notification, kind, sentence in (
                (Notification("none", ["a"]), WorkflowUnknown, "has no workflow of this key"),
                (Notification("order-shipped", []), NotificationRefused, "recipients"),
                (Notification("order-shipped", [" "]), NotificationRefused, "recipients number 1 is blank"),
                (
                    replace(SHIPPED, payload={"canary": 1}),
                    DuplicateRefused,
                    "another workflow, payload or other",
                ),
            ):
                with pytest.raises(kind, match=sentence) as raised:
                    client.enqueue(notification)
                assert "canary" not in str(raised.value)
                with pytest.raises(kind, match=sentence):
                    client.enqueue_all([replace(SHIPPED, dedup_key="3"), notification])
        for wrong in (reader, "nonsense"):
            with Client(api.url, wrong) as client, pytest.raises(AccessRefused):
                client.enqueue(SHIPPED)
        with Client(f"{api.url}/elsewhere", key) as client, pytest.raises(ClientError):
            client.enqueue(SHIPPED)

    await asyncio.to_thread(call)
    assert db.execute("SELECT FROM notify.ent_notification").rowcount == 2


async def test_a_call_ends_after_its_tries_or_a_long_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error asks for the same call with the same key; nobody sleeps for minutes in it."""
    monkeypatch.setattr(client_http, "_FIRST_PAUSE", 0.001)
    wire = LossyWire(*[(503, "")] * 3)
    async with AsyncClient("http://127.0.0.1:1", "key", tries=3, transport=wire) as client:
        with pytest.raises(
            ApiUnavailable, match=r"answers 503 .*after 3 tries; call again with the same dedup_key$"
        ):
            await client.enqueue(SHIPPED)
        for asked in ("3600", "Fri, 31 Dec 2100 23:59:59 GMT"):
            wire.faults = [(429, asked)]
            with pytest.raises(ApiUnavailable, match=r"after 1 tries; call again .* in \d+ s$") as raised:
                await client.enqueue(SHIPPED)
            assert raised.value.pause > 3000
            assert raised.value.retryable
        wire.faults = []
        with pytest.raises(ApiUnavailable, match="does not answer") as unreachable:
            await client.enqueue(SHIPPED)
        assert isinstance(unreachable.value.__cause__, httpx.ConnectError)
        wire.faults = [(302, "")]
        with pytest.raises(ClientError, match="answers 302, and not as our API does; check the address"):
            await client.enqueue(SHIPPED)


async def test_a_recorder_takes_the_calls() -> None:
    """Nothing is sent; the key would have named the enterprise."""
    async with AsyncClient("http://127.0.0.1:1", "key") as client:
        with recorded() as recorder, Client("http://127.0.0.1:1", "key") as sync:
            assert (await client.enqueue(SHIPPED)).is_new
            assert not sync.enqueue_all([SHIPPED])[0].is_new

    assert recorder.notifications == [SHIPPED]
