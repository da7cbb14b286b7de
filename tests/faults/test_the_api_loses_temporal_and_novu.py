"""Temporal and Novu go away under the API: it sends as before, its health shows it, and it goes on when they are back."""

import httpx
import pytest

from tests.support.api import served_api
from tests.support.novu import NovuStandIn
from tests.support.proxy import LOOPBACK, proxied
from tests.support.rows import Db, a_rule, a_workflow
from tests.support.waiting import eventually
from xnovu_poller.service import api_health
from xnovu_poller.settings import NovuSettings

ONE = {"workflow_key": "order-shipped", "recipients": ["user-1"]}


async def is_broken(client: httpx.AsyncClient, *names: str) -> bool:
    """Return whether health finds fault with these servers, and with no other."""
    answer = await client.get("/api/health")
    states = {name: state for name, state in answer.json().items() if name != "timestamp"}
    found = {name for name, state in states.items() if state != {"status": "ok"}}
    assert {*states} == {"database", "novu", "workflows", "temporal"}
    assert answer.status_code == (500 if found else 200)
    return found == {*names}


async def test_only_what_needs_them_waits(
    db: Db,
    database: str,
    temporal_address: str,
    task_queue: str,
    novu_standin: NovuStandIn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rules are fired again over the same connection, under the same key once; health has the form of the earlier system."""
    rule = a_rule(db, workflow=a_workflow(db))
    monkeypatch.setattr(api_health, "_TEMPORAL_SECONDS", 0.0)
    monkeypatch.setattr(api_health, "_NOVU_SECONDS", 0.0)
    async with (
        proxied(f"tcp://{temporal_address}") as temporal,
        proxied(novu_standin.url) as novu,
        served_api(
            database,
            novu=NovuSettings.model_validate(
                {"NOVU_API_URL": f"http://{LOOPBACK}:{novu.port}", "NOVU_SECRET_KEY": "key"}
            ),
            TEMPORAL_ADDRESS=f"{LOOPBACK}:{temporal.port}",
            TEMPORAL_TASK_QUEUE=task_queue,
        ) as api,
    ):
        client = api.client(await api.key(), **{"Idempotency-Key": "once"})

        run = (await client.post(f"/api/rules/{rule}/fire")).json()["run_id"]
        assert await is_broken(client)
        temporal.cut()
        away = await client.post(f"/api/rules/{rule}/fire")
        assert (away.status_code, away.json()["code"]) == (503, "unavailable")
        assert int(away.headers["Retry-After"]) >= 1
        await eventually(lambda: is_broken(client, "temporal"))
        novu.cut()
        await eventually(lambda: is_broken(client, "temporal", "novu"))
        assert (await client.post("/api/notifications", json=ONE)).status_code == 201
        assert (await client.get("/api/notifications")).status_code == 200
        temporal.mend()
        novu.mend()
        await eventually(lambda: is_broken(client))
        again = await client.post(f"/api/rules/{rule}/fire")
        assert (again.status_code, again.json()["run_id"]) == (202, run)
