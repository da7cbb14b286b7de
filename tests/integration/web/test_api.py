"""Notifications through the API: sent, listed, shown, retracted and revived."""

import httpx

from tests.support.api import codes, served_api
from tests.support.rows import Db, a_notification, a_workflow, row
from xnovu_poller.lifecycle import Status
from xnovu_poller.web.api.table import OPERATIONS

JSON = "application/json"
ONE = {"workflow_key": "order-shipped", "recipients": ["user-1"]}


async def test_a_notification_is_sent_listed_shown_and_retracted(db: Db, database: str) -> None:
    """One walk through all operations of one notification."""
    a_workflow(db)
    async with served_api(database) as api:
        client = api.client(await api.key())
        sent = await client.post(
            "/api/notifications",
            json={"workflow_key": "order-shipped", "recipients": ["user-1"], "payload": {"order": 42}},
        )
        assert (sent.status_code, sent.json()["created"]) == (201, True), sent.text
        made = sent.json()["id"]
        listed = await client.get("/api/notifications", params={"state": "PENDING"})
        shown = await client.get(f"/api/notifications/{made}")
        retracted = await client.post(f"/api/notifications/{made}/retract", json={"reason": "wrong"})
        revived = await client.post(f"/api/notifications/{made}/revive")
        alive = await api.client().get("/livez")

    assert row(db, made)["payload"] == {"order": 42}
    assert listed.status_code == 200, listed.text
    assert [each["id"] for each in listed.json()["notifications"]] == [made]
    assert shown.json()["status"] == "PENDING", shown.text
    assert retracted.json() == {"id": made, "status": "RETRACTED"}, retracted.text
    assert revived.json() == {"id": made, "status": "PENDING"}, revived.text
    assert (alive.status_code, alive.text) == (200, "alive\n")


async def test_the_same_key_is_the_same_notification(db: Db, database: str) -> None:
    """Another body under the key is a conflict, and of a list all are inserted or none."""
    a_workflow(db)
    async with served_api(database) as api:
        client = api.client(await api.key())

        async def send(*items: object, key: str | None = None) -> tuple[int, object]:
            body = items[0] if key or len(items) == 1 else items
            headers = {} if key is None else {"Idempotency-Key": key}
            answer = await client.post("/api/notifications", json=body, headers=headers)
            return answer.status_code, answer.json()

        assert await send(ONE, key="a") == (201, {"id": 1, "created": True})
        assert await send(ONE, key="a") == (200, {"id": 1, "created": False})
        assert await send(ONE | {"dedup_key": "a"}) == (200, {"id": 1, "created": False})
        status, problem = await send(ONE | {"priority": 9}, key="a")
        assert (status, problem["code"]) == (409, "dedup_key_taken")  # type: ignore[index]
        triggered = await client.post(
            "/api/trigger",
            json={"workflowId": "order-shipped", "subscriberIds": ["user-1"]},
            headers={"Idempotency-Key": "a"},
        )
        assert (triggered.status_code, triggered.json()) == (
            200,
            {"success": True, "notificationId": 1, "created": False},
        )
        many = [ONE | {"dedup_key": f"b{n}"} for n in range(1000)]
        status, made = await send(*many)
        assert (status, len(made["notifications"])) == (201, 1000)  # type: ignore[index]
        assert (await send(*many, ONE))[0] == 422
        status, problem = await send(ONE, ONE | {"workflow_key": "of-nobody"})
        assert (status, problem["errors"][0]["pointer"]) == (422, "#/1/workflow_key")  # type: ignore[index]
        assert (await client.post("/api/notifications", json=[ONE], headers={"Idempotency-Key": "c"})).json()[
            "code"
        ] == "idempotency_key_of_list"

    assert db.execute("SELECT count(*) AS number FROM notify.ent_notification").fetchone() == {"number": 1001}


async def test_a_state_decides_what_retract_and_revive_answer(db: Db, database: str) -> None:
    """200: it is done; 202: it was requested; 409: nothing was changed."""
    workflow = a_workflow(db)
    expected: dict[Status, tuple[int, int]] = {
        Status.PENDING: (200, 200),
        Status.FAILED: (200, 409),
        Status.PROCESSING: (200, 409),
        Status.SENT: (202, 409),
        Status.DEAD: (409, 200),
        Status.RETRACTED: (200, 200),
    }
    async with served_api(database) as api:
        client = api.client(await api.key())

        async def act(action: str, status: Status) -> int:
            made = a_notification(db, workflow=workflow, status=status)
            answer = await client.post(f"/api/notifications/{made}/{action}")
            if answer.status_code == 409:
                assert answer.json()["code"] == "wrong_state"
                assert row(db, made)["notification_status"] == status
            else:
                assert answer.json() == {"id": made, "status": row(db, made)["notification_status"]}
            return answer.status_code

        for status in Status:
            assert (await act("retract", status), await act("revive", status)) == expected[status], status


async def test_each_fault_is_a_problem_that_names_its_place(db: Db, database: str) -> None:
    """No value of the request is repeated."""
    a_workflow(db)
    post: dict[str, tuple[bytes, str, int, str, str | None]] = {
        "no json": (b"{", JSON, 400, "bad_request", None),
        "too deep": (b"[" * 1000, JSON, 400, "bad_request", None),
        "no utf-8": (b'"\xff"', JSON, 400, "bad_request", None),
        "another type": (b"a=b", "application/x-www-form-urlencoded", 415, "unsupported_media_type", None),
        "too large": (b" " * 20_001, JSON, 413, "too_large", None),
        "nothing": (b"", JSON, 422, "invalid", "#"),
        "no member": (b"{}", JSON, 422, "invalid", "#/workflow_key"),
        "unknown": (b'{"workflow_key": "a", "recipients": ["b"], "secret/~": 1}', JSON, 422, "invalid", "#/secret~1~0"),
        "converted": (b'{"workflow_key": 1, "recipients": ["b"]}', JSON, 422, "invalid", "#/workflow_key"),
        "in a list": (b'[{"workflow_key": "a", "recipients": []}]', JSON, 422, "invalid", "#/0/recipients"),
        "moment": (b'{"workflow_key": "a", "recipients": ["b"], "expires_at": "now"}', JSON, 422, "invalid", "#/expires_at"),
        "null byte": (b'{"workflow_key": "order-shipped", "recipients": ["b"], "payload": {"a": "\\u0000hush"}}', JSON, 422, "unstorable", None),
    }  # fmt: skip
    get = {
        "/api/nothing": (404, "not_found"),
        "/api/notifications/0": (404, "not_found"),
        f"/api/notifications/{2**63}": (404, "not_found"),
        "/api/notifications/1": (404, "not_found"),
        "/api/notifications?limit=0": (422, "invalid"),
        "/api/notifications?hush=1": (422, "invalid"),
        "/api/notifications?cursor=hush": (422, "invalid"),
        "/api/notifications?tag=a&tag=b": (422, "invalid"),
        "/api/trigger": (405, "method_not_allowed"),
    }
    async with served_api(database, API_MAX_BODY_BYTES=20_000) as api:
        client = api.client(await api.key())
        for name, (body, kind, status, code, pointer) in post.items():
            answer = await client.post("/api/notifications", content=body, headers={"Content-Type": kind})
            problem = answer.json()
            assert (name, answer.status_code, problem["code"]) == (name, status, code), answer.text
            assert answer.headers["content-type"] == "application/problem+json"
            assert pointer in {None, problem.get("errors", [{}])[0].get("pointer")}, answer.text
            assert "hush" not in answer.text
        for path, (status, code) in get.items():
            answer = await client.get(path)
            assert (path, answer.status_code, answer.json()["code"]) == (path, status, code)
            assert "hush" not in answer.json().get("detail", "")
        assert (await client.get("/api/trigger")).headers["allow"] == "POST"
        assert (await client.post("/api/notifications/1/revive")).status_code == 404

    assert db.execute("SELECT FROM notify.ent_notification").fetchone() is None


async def test_requests_have_limits_for_each_key_and_address(db: Db, database: str) -> None:
    """The answer names when to ask again; a proxy is believed only if it is trusted."""
    async with served_api(
        database, API_KEY_RATE=1, API_ADDRESS_RATE=2, API_TRUSTED_PROXIES="127.0.0.1"
    ) as api:
        client = api.client(await api.key())

        async def ask(address: str) -> httpx.Response:
            return await client.get(
                "/api/notifications", headers={"X-Forwarded-For": f"192.0.2.9, {address}"}
            )

        first = [await ask("192.0.2.1") for _ in range(3)]
        assert [answer.status_code for answer in first] == [200] * 3
        assert first[0].headers["ratelimit-policy"] == '"key";q=5;w=5'
        assert first[0].headers["ratelimit-remaining"] == "4"
        db.execute("UPDATE notify.rate_bucket SET tokens = -1e6 WHERE name LIKE 'key %'")
        refused = await ask("192.0.2.1")
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
        assert int(refused.headers["retry-after"]) >= 1
        db.execute("UPDATE notify.rate_bucket SET tokens = 1e6 WHERE name LIKE 'key %'")
        # The process remembers it, and asks the database no more.
        assert (await ask("192.0.2.1")).status_code == 429
        db.execute("UPDATE notify.rate_bucket SET tokens = -1e6 WHERE name = 'address 192.0.2.2'")
        assert (await ask("192.0.2.2")).status_code == 200
        buckets = {found["name"] for found in db.execute("SELECT name FROM notify.rate_bucket")}
        assert {"address 192.0.2.1", "address 192.0.2.2"} < buckets
        assert (await ask("2001:db8::1")).status_code == 200
        assert db.execute("SELECT FROM notify.rate_bucket WHERE name = 'address 2001:db8::/64'").rowcount == 1


async def test_processes_share_the_limits(db: Db, database: str) -> None:
    """A bucket that is empty for the first is empty for the second."""
    async with (
        served_api(database, API_KEY_RATE=1) as api,
        served_api(database, API_KEY_RATE=1) as another,
    ):
        key = await api.key()
        asked = [await each.client(key).get("/api/notifications") for each in (api, another)]
        assert [answer.status_code for answer in asked] == [200, 200]
        assert db.execute("SELECT FROM notify.rate_bucket WHERE name LIKE 'key %'").rowcount == 1
        db.execute("UPDATE notify.rate_bucket SET tokens = -1e6 WHERE name LIKE 'key %'")
        assert (
            codes([await each.client(key).get("/api/notifications") for each in (api, another)])
            == ["too_many_requests"] * 2
        )


async def test_the_document_is_that_of_the_table(database: str) -> None:
    """Its page has no script and no address outside; a page of another origin may not call the API."""
    async with served_api(database, API_CORS_ORIGINS="https://app.example.org") as api:
        client = api.client()
        document = (await client.get("/api/openapi.json")).json()
        assert document["openapi"] == "3.1.0"
        assert {(path, method.upper()) for path, each in document["paths"].items() for method in each} == {
            (operation.path, operation.method) for operation in OPERATIONS
        }
        page = await client.get("/api/docs")
        assert [operation.summary in page.text for operation in OPERATIONS] == [True] * len(OPERATIONS)
        assert ("<script" in page.text, "http://" in page.text) == (False, False)
        assert "<td>integer, 0 to 9 or null</td>\n<td>higher first</td>" in page.text
        assert 'curl -X POST -H "Authorization: Bearer $KEY" "$API/api/rules/{id}/fire"' in page.text
        assert page.headers["content-security-policy"].startswith("default-src 'none'")
        assert (await client.get("/api/docs.css")).headers["content-type"].startswith("text/css")

        for origin, allowed in (("https://app.example.org", True), ("https://evil.example.org", False)):
            asked = {
                "Origin": origin,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "idempotency-key",
            }
            preflight = await client.options("/api/notifications", headers=asked)
            refused = await client.get("/api/notifications", headers={"Origin": origin})
            assert refused.status_code == 401
            for answer in (preflight, refused):
                assert answer.headers.get("access-control-allow-origin") == (origin if allowed else None)
                assert "access-control-allow-credentials" not in answer.headers
            shown = refused.headers["access-control-expose-headers"].split(", ")
            assert {"Retry-After", "RateLimit", "RateLimit-Remaining", "Location"} <= {*shown}


async def test_monitoring_needs_no_key(db: Db, database: str) -> None:
    """A token guards the metrics."""
    a_workflow(db, workflow_type="DYNAMIC")
    token = "a-token-of-sixteen"
    async with served_api(database, API_HTTP_TOKEN=token) as api:
        client = api.client()
        health = await client.get("/api/health")
        # Nobody listens where Temporal should be.
        assert health.status_code == 500
        states = {name: state["status"] for name, state in health.json().items() if name != "timestamp"}
        assert states == {"database": "ok", "workflows": "ok", "novu": "ok", "temporal": "error"}

        assert {(await client.get(path)).status_code for path in ("/metrics", "/api/metrics")} == {401}
        shown = {"Authorization": f"Bearer {token}"}
        figures = (await client.get("/api/metrics", headers=shown)).json()
        assert figures["workflows"] == {"total": 1, "DYNAMIC": 1}
        assert (figures["uptime"] > 0, figures["memory"]["maxRss"] > 0) == (True, True)
        scraped = await client.get("/metrics", headers=shown)
        assert 'http_requests_total{method="GET",route="/api/health",status="500"}' in scraped.text
        assert 'http_request_duration_seconds_count{method="GET",route="/api/docs"}' not in scraped.text
