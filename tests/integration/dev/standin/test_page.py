import re
from collections.abc import Iterator

import httpx
import pytest

from tests.support.novu import NovuStandIn
from tests.support.waiting import WITHIN

EVENT = {
    "name": "welcome",
    "to": "s-1",
    "transactionId": "xn-1",
    "payload": {
        "xnovu": {
            "enterprise_id": "acme",
            "notification_id": 7,
            "rendered": {"email": {"subject": "Hi", "body": "<p>All</p><script>run()</script>"}},
        }
    },
}


@pytest.fixture
def browser(novu_standin: NovuStandIn) -> Iterator[httpx.Client]:
    """A client that opens the page, and may call Novu."""
    headers = {"Authorization": "ApiKey secret"}
    with httpx.Client(base_url=novu_standin.url, headers=headers, timeout=WITHIN) as client:
        yield client


def trigger(browser: httpx.Client, **changes: object) -> int:
    """Trigger the event, and return the status of the answer."""
    return browser.post("/v1/events/trigger", json={**EVENT, **changes}).status_code


def read_failed(browser: httpx.Client) -> list[str]:
    """Return what the page shows of failed calls: kind, and the row of its event."""
    failed = browser.get("/").text.partition('id="failed"')[2].partition("</details>")[0]
    return [
        " ".join(re.sub(r"<time.*?</time>|<[^>]*>", "", line).split()) for line in failed.split("<li>")[1:]
    ]


def test_the_page_and_its_frames_run_nothing_and_load_nothing(browser: httpx.Client) -> None:
    """It needs no key; a browser gets 304 until something has changed."""
    trigger(browser)
    page = browser.get("/")
    assert [text in page.text for text in ("acme", "xn-1", "#7")] == [True] * 3
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
    same = {"If-None-Match": page.headers["ETag"]}
    assert browser.get("/", headers=same).status_code == 304
    trigger(browser, transactionId="xn-2")
    assert browser.get("/", headers=same).status_code == 200
    for name in ("page.css", "page.js"):
        assert browser.get(f"/_standin/page/{name}").status_code == 200
    body = browser.get("/_standin/page/1/body", params={"channel": "email", "person": "s-1"})
    event = browser.get("/_standin/page/1/event")
    assert "<p>All</p><script>" in body.text
    assert "&lt;script&gt;" in event.text
    for frame in (body, event):
        policy = frame.headers["Content-Security-Policy"]
        assert policy.startswith("sandbox allow-same-origin; default-src 'none'")
        assert "script" not in policy
    assert [browser.get(f"/_standin/page/9/{frame}").status_code for frame in ("body", "event")] == [404] * 2


def test_the_page_shows_calls_that_failed(browser: httpx.Client, novu_standin: NovuStandIn) -> None:
    """Otherwise somebody whose trigger is refused would see an empty page."""
    novu_standin.fault("reset_before_accept")
    with pytest.raises(httpx.ReadError):
        trigger(browser)
    novu_standin.fault("throttle")
    assert [trigger(browser), trigger(browser, to=None)] == [429, 422]
    novu_standin.switch(idempotency=True)
    for _ in range(2):
        browser.post("/v1/events/trigger", json=EVENT, headers={"Idempotency-Key": "k"})
    novu_standin.workflow("asleep", active=False)
    browser.post("/v1/events/trigger/bulk", json={"events": [{**EVENT, "name": "asleep"}, {"name": "x"}]})
    shown = read_failed(browser)
    assert [line.split(" POST")[0] for line in shown] == [
        "refused 201 unknown",
        "refused 201 acme #7",
        "repeated 201 acme #7",
        "refused 422 acme #7",
        "throttle 429 acme #7",
        "reset before accept acme #7",
    ]
    assert "trigger_not_active" in shown[1]
    trigger(browser)
    assert "repeated, dropped" in browser.get("/").text


def test_its_buttons_let_novu_fail(browser: httpx.Client) -> None:
    """Until the button for the normal answers; another site's form changes nothing."""
    for name, status in (("down", 503), ("throttling", 429), ("rejecting", 400), ("normal", 201)):
        answer = browser.post(
            f"/_standin/page/answers/{name}?person=s-1", headers={"Origin": str(browser.base_url)}
        )
        assert (answer.status_code, answer.headers["Location"]) == (303, "/?person=s-1")
        assert trigger(browser) == status
        assert re.search(rf'answers/{name}\?"><button aria-pressed="true">', browser.get("/").text)
    for name, origin in (("down", "http://evil.example"), ("down", "null"), ("odd", str(browser.base_url))):
        answer = browser.post(f"/_standin/page/answers/{name}", headers={"Origin": origin})
        assert answer.status_code in {403, 404}
    assert trigger(browser) == 201


def test_a_workflow_whose_text_novu_holds_names_its_channels(
    browser: httpx.Client, novu_standin: NovuStandIn
) -> None:
    """The payload has them, so nobody reads of unknown channels."""
    trigger(browser, payload={"xnovu": {"enterprise_id": "acme", "channels": ["email"], "rendered": {}}})
    assert novu_standin.ledger()["triggers"][0]["channels"] == ["email"]
    assert "Novu holds the text of this workflow" in browser.get("/").text
