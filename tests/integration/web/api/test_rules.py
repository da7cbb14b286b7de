"""Rules through the API: listed, shown, previewed, paused, resumed and fired."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from temporalio.client import Client

from tests.support.api import codes, served_api
from tests.support.proxy import LOOPBACK, proxied
from tests.support.rows import Db, a_rule, a_single_rule, a_workflow, rewritten, rule_row

NIGHT = {"cron": "30 2 * * *", "timezone": "Europe/Berlin"}


async def test_rules_are_listed_and_shown(db: Db, database: str) -> None:
    """By pages; a rule of another enterprise is like an id that does not exist."""
    workflow = a_workflow(db)
    own = [
        a_rule(db, workflow=workflow, trigger_config=NIGHT, name="\u202eevil"),
        a_rule(db, workflow=workflow, deactivated=True),
        a_single_rule(db, workflow=workflow),
    ]
    foreign = a_rule(db, workflow=workflow, enterprise="globex")
    async with served_api(database) as api:
        client = api.client(await api.key())
        first = (await client.get("/api/rules", params={"limit": 2})).json()
        second = (await client.get("/api/rules", params={"limit": 2, "cursor": first["cursor"]})).json()
        assert [each["id"] for each in first["rules"] + second["rules"]] == own
        assert second["cursor"] is None
        assert first["rules"][0] == {
            "id": own[0],
            "name": "\u202eevil",
            "workflow_id": workflow,
            "workflow_key": "order-shipped",
            "trigger_type": "CRON",
            "trigger_config": NIGHT,
            "active": True,
            "status": None,
            "error": None,
            "last_fired_at": None,
            "last_outcome": None,
        }
        assert [each["active"] for each in first["rules"]] == [True, False]
        assert (await client.get(f"/api/rules/{own[0]}")).json() == first["rules"][0]

        hidden = [await client.get(f"/api/rules/{id_}") for id_ in (foreign, foreign + 1000)]
        assert hidden[0].json() == hidden[1].json()
        assert hidden[0].status_code == 404


async def test_times_are_previewed(db: Db, database: str) -> None:
    """With what clock changes do, of a rule or before there is one."""
    workflow = a_workflow(db)
    own = [
        a_rule(db, workflow=workflow, trigger_config=NIGHT),
        a_rule(db, workflow=workflow),
        a_single_rule(db, workflow=workflow),
    ]
    async with served_api(database) as api:
        client = api.client(await api.key())
        asked: dict[str, Any] = {"since": "2027-03-27T12:00:00+01:00", "count": 1}
        shown = (await client.get(f"/api/rules/{own[0]}/preview", params=asked)).json()
        assert (shown["zone"], shown["jitter_seconds"]) == ("Europe/Berlin", 0)
        assert [each["mark"] for each in shown["times"]] == ["skipped", ""]
        assert [each["at"] for each in shown["times"]] == [None, "2027-03-29T00:30:00Z"]
        assert shown["times"][1]["local"] == "2027-03-29T02:30:00+02:00"
        tried = await client.post("/api/rules/preview", json={"trigger_config": NIGHT, **asked})
        assert tried.json() == shown
        once = await client.get(f"/api/rules/{own[2]}/preview")
        assert [each["at"] for each in once.json()["times"]] == ["2030-01-01T09:00:00Z"]

        wrong = await client.post("/api/rules/preview", json={"trigger_config": {"cron": "61 * * * *"}})
        assert (wrong.status_code, wrong.json()["code"]) == (422, "rule_invalid")
        assert wrong.json()["errors"][0]["pointer"] == "#/trigger_config"
        rewritten(db, own[1], trigger_config={"cron": "never"})
        broken = await client.get(f"/api/rules/{own[1]}/preview")
        assert (broken.status_code, broken.json()["code"]) == (409, "rule_invalid")
        refused = [
            await client.get("/api/rules", params={"limit": 201}),
            await client.get("/api/rules", params={"cursor": "x"}),
            await client.get(f"/api/rules/{own[0]}/preview", params={"count": 101}),
            *[
                await client.get(
                    f"/api/rules/{own[0]}/preview", params={"since": f"{year}-01-01T00:00:00+14:00"}
                )
                for year in ("0001", "1999", "2101", "9999")
            ],
        ]
        assert codes(refused) == ["invalid"] * 7


async def test_rules_are_paused_and_resumed(db: Db, database: str) -> None:
    """In their rows; the schedules follow."""
    rule = a_rule(db, workflow=a_workflow(db))
    foreign = a_rule(db, workflow=a_workflow(db, key="other"), enterprise="globex")
    async with served_api(database) as api:
        client = api.client(await api.key())
        paused = await client.post(f"/api/rules/{rule}/pause")
        assert (paused.status_code, paused.json()["active"]) == (200, False)
        assert rule_row(db, rule)["deactivated"]
        idle = await client.post(f"/api/rules/{rule}/fire")
        assert (idle.status_code, idle.json()["code"]) == (409, "wrong_state")
        resumed = await client.post(f"/api/rules/{rule}/resume")
        assert (resumed.status_code, resumed.json()["active"]) == (200, True)
        assert (await client.post(f"/api/rules/{foreign}/pause")).status_code == 404
        assert not rule_row(db, foreign)["deactivated"]
        # Nobody listens at the address of Temporal.
        away = await client.post(f"/api/rules/{rule}/fire")
        assert (away.status_code, away.json()["code"]) == (503, "unavailable")
        assert away.headers["Retry-After"] == "10"
        lines = db.execute(
            "SELECT action, enterprise_id, filters, changed FROM notify.ent_audit ORDER BY id"
        ).fetchall()
        assert [tuple(line.values()) for line in lines] == [
            ("pause rule", "acme", {"rule": rule}, 1),
            ("resume rule", "acme", {"rule": rule}, 1),
            ("fire rule", "acme", {"rule": rule}, 0),
        ]
        assert (await client.post(f"/api/rules/{rule}/fire/")).status_code == 404


async def test_a_rule_is_fired_in_temporal(
    db: Db, database: str, temporal_address: str, task_queue: str
) -> None:
    """A worker takes the run; a key names it, all firings share a connection, and only its enterprise may fire a rule."""
    rule, sibling = (a_rule(db, workflow=a_workflow(db, key=key)) for key in ("one", "two"))
    began = datetime.now(UTC)
    async with (
        proxied(f"grpc://{temporal_address}") as proxy,
        served_api(
            database, TEMPORAL_ADDRESS=f"{LOOPBACK}:{proxy.port}", TEMPORAL_TASK_QUEUE=task_queue
        ) as api,
    ):
        client, other = api.client(await api.key()), api.client(await api.key("globex"))

        async def fire(rule_id: int, key: str | None = None) -> str:
            headers = {} if key is None else {"Idempotency-Key": key}
            answer = await client.post(f"/api/rules/{rule_id}/fire", headers=headers)
            assert answer.status_code == 202, answer.text
            return str(answer.json()["run_id"])

        runs = await asyncio.gather(*[fire(rule, "a") for _ in range(3)])
        assert {*runs} == {await fire(rule, "a")}
        others = [await fire(rule, "b"), await fire(sibling, "a"), await fire(rule), await fire(rule)]
        assert len({*runs, *others}) == 5
        assert (await other.post(f"/api/rules/{rule}/fire")).status_code == 404
        assert proxy.accepted == 1

    temporal = await Client.connect(temporal_address)
    for run_id in {*runs, *others}:
        run = await temporal.get_workflow_handle(run_id).describe()
        assert run.task_queue == task_queue
        assert run.start_time.replace(microsecond=0) >= began.replace(microsecond=0)
        await temporal.get_workflow_handle(run.id).terminate()
