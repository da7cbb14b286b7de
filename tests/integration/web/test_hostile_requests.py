"""Requests that no browser sends, to a process that serves the API and the page: each has an answer, and none fills the log."""

import asyncio
import json

import httpx
import pytest

from tests.support.api import ServedApi, served_api
from tests.support.paging import form_token
from tests.support.rows import Db, a_workflow
from xnovu_poller.web.page.access import Access

LONG = "9" * 5000


async def send(api: ServedApi, words: str) -> int:
    """Send a request as it stands; return the status of the answer."""
    host, port = api.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"{words} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return int(answer.split(b" ", 2)[1])


async def log_in(client: httpx.AsyncClient, body: str, **headers: str) -> int:
    """Send the form of the login; return the status of the answer."""
    form = {"Origin": str(client.base_url), "Content-Type": "application/x-www-form-urlencoded", **headers}
    return (await client.post("/login", content=body, headers=form)).status_code


async def test_each_request_has_an_answer(
    database: str, db: Db, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Targets that are no path, ids without end, forms without a token; a bug is logged without its message."""
    async with served_api(database, OPERATOR_PASSWORD="correct horse battery") as api:
        for target in (
            "OPTIONS *",
            "CONNECT a:1",
            "GET ?a",
            f"GET /api/notifications/{LONG}",
            f"GET /notifications/{LONG}",
            f"GET /acts/{LONG}",
            f"GET /rules/{LONG}",
        ):
            assert await send(api, target) in {303, 404}, target
        client = api.client()
        assert await log_in(client, "a=b", Origin="http://[") == 403
        assert await log_in(client, "&" * 900_000) == 400
        assert await log_in(client, "enterprise=a%00b") == 400
        for token in ("", "no cookie"):
            assert await log_in(client, f"form_token={token}&password=x", Cookie=f"xnovu_form={token}") == 403
        assert await log_in(api.client(), "form_token=no cookie&password=x") == 403
        assert "request failed" not in "".join(capfd.readouterr())
        token = form_token(await client.get("/login"))

        def fail(*_: object) -> bool:
            raise RuntimeError("the words of a tenant")

        monkeypatch.setattr(Access, "is_password", fail)
        assert await log_in(client, f"form_token={token}&password=x") == 500
    logged = "".join(capfd.readouterr())
    assert ("RuntimeError" in logged, "the words of a tenant" in logged) == (True, False)


async def ask(api: ServedApi, *lines: str, body: bytes = b"") -> tuple[int, str]:
    """Send a notification under a head; return the status of the answer, and its code."""
    host, port = api.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = ["POST /api/notifications HTTP/1.1", "Host: a", "Connection: close", *lines, "", ""]
    writer.write("\r\n".join(head).encode() + body)
    answer = await reader.read()
    writer.close()
    return int(answer.split(b" ", 2)[1]), str(json.loads(answer.partition(b"\r\n\r\n")[2]).get("code"))


async def test_a_head_that_can_be_read_in_two_ways_is_refused(database: str, db: Db) -> None:
    """Fields that are there twice, two lengths of a body, compressed bodies; other parameters of a type do not matter."""
    a_workflow(db)
    body = b'{"workflow_key": "order-shipped", "recipients": ["user-1"]}'
    async with served_api(database) as api:
        key, length = f"Authorization: Bearer {await api.key()}", f"Content-Length: {len(body)}"
        kind = "Content-Type: application/json"
        refused = 400, "bad_request"
        unsupported = 415, "unsupported_media_type"
        for extra, expected in {
            (kind, key): refused,
            (kind, kind): refused,
            (kind, "Idempotency-Key: a", "Idempotency-Key: b"): refused,
            (kind, "Transfer-Encoding: chunked"): refused,
            (kind, "Content-Encoding: gzip"): unsupported,
            (f"{kind}; charset=latin1",): unsupported,
            (f"{kind}; charset=utf-8; charset=latin1",): unsupported,
            (kind, "Content-Encoding: identity"): (201, "None"),
            (f'{kind}; profile="x"; charset="UTF-8"',): (201, "None"),
        }.items():
            assert await ask(api, key, length, *extra, body=body) == expected, extra
    assert db.execute("SELECT count(*) AS number FROM notify.ent_notification").fetchone() == {"number": 2}
