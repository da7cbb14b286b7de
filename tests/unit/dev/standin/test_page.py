import re

import pytest

from xnovu_poller.dev.standin.calls import Json
from xnovu_poller.dev.standin.environment import Environment
from xnovu_poller.dev.standin.ledger import State
from xnovu_poller.dev.standin.page import Page, describe_age, show_hidden

HOSTILE = "<script>alert('x')</script>\"'"


def arrived(*events: dict[str, Json]) -> Page:
    """Return the page of a stand-in in which the events were accepted and delivered, each in its channels."""
    environment = Environment()
    for number, event in enumerate(events, start=1):
        ours = event["payload"]["xnovu"]
        channels = tuple(ours.get("rendered") or ours.get("channels", ()))
        trigger = environment.ledger.accept(event, f"t-{number}", ours["enterprise_id"], channels)
        environment.subscribers.upsert(event["to"], event.get("profile", {}))
        environment.ledger.settle(trigger, State.DELIVERED, [event["to"]])
    return Page(environment, "http://temporal.example/")


def event_of(enterprise: str, to: str = "s-1", **rendered: dict[str, Json]) -> dict[str, Json]:
    """Return an event with rendered text, for row 17."""
    ours = {"enterprise_id": enterprise, "notification_id": 17, "channels": ["email"], "rendered": rendered}
    return {"name": "w", "to": to, "payload": {"xnovu": ours}}


def main(html: str) -> str:
    """Return the messages of a page, without the rest."""
    return html.partition("<main>")[2]


def test_no_text_of_a_tenant_becomes_markup() -> None:
    """This holds for names, subjects, bodies, profiles, filters and links; hidden characters are shown."""
    text = {"subject": HOSTILE, "body": f"{HOSTILE}\u202e\x07"}
    event = {**event_of(HOSTILE, HOSTILE, email=text, sms=text, in_app={"subject": HOSTILE}, odd=text)}
    page = arrived({**event, "name": HOSTILE, "profile": {"firstName": HOSTILE}}, event_of(HOSTILE, HOSTILE))
    for query in ({}, {"enterprise": HOSTILE}, {"person": HOSTILE}, {"find": HOSTILE}, {"channel": HOSTILE}):
        html = page.render({**query, "before": HOSTILE})
        assert re.findall(r"<script[^>]*>", html) == ['<script src="/_standin/page/page.js" defer>']
        assert "\u202e" not in html
    assert "\\u202e\\u0007" in page.render({})


def test_a_person_has_an_inbox_by_channel() -> None:
    """As Novu and a phone would show it; a mail is its subject and its first words until it is opened."""
    page = arrived(
        event_of("acme", email={"subject": "Drill", "body": "<h1>Hi</h1><style>x</style> all&nbsp;of you"}),
        event_of("acme", sms={"body": "yo"}, push={"subject": "Now", "body": "Leave"}, chat={"body": "line"}),
        event_of("acme", "s-2", in_app={"body": "plain <3"}),
        event_of("acme", "s-2", in_app={"body": "<b>bold</b>"}),
    )
    html = main(page.render({"person": "s-1"}))
    assert [found in html for found in ("Hi all of you", '<p class="bubble text" dir="auto">yo</p>')] == [
        True
    ] * 2
    assert html.index("<h3>Mail") < html.index("<h3>SMS") < html.index("<h3>Push") < html.index("<h3>Chat")
    assert 'src="/_standin/page/1/body?channel=email&amp;person=s-1"' in html
    assert "plain" not in html
    other = main(page.render({"person": "s-2"}))
    assert [
        other.count(found) for found in ("plain &lt;3", "/_standin/page/4/body", "/_standin/page/3/body")
    ] == [1, 1, 0]
    assert "SMS" not in main(page.render({"person": "s-1", "channel": "email"})).partition("</p>")[2]
    assert "Nothing was delivered to nobody" in page.render({"person": "nobody"})


def test_a_person_is_found_by_id_name_and_address() -> None:
    """If only one matches, their inbox is shown."""
    profile = {"firstName": "Ann", "email": "ann@example.org", "phone": None, "data": {"secret": 1}}
    page = arrived(
        {**event_of("acme", "s-1", sms={"body": "1"}), "profile": profile}, event_of("acme", "s-2")
    )
    for sought in ("s-1", "aNN", "ann@"):
        assert "Inbox of s-1 (Ann ann@example.org)" in page.render({"find": sought})
    assert "Inbox" not in page.render({"find": "s-"})
    assert "Nobody matches." in page.render({"find": "s-3"})
    assert "secret" not in page.render({"person": "s-1"})


def test_each_trigger_has_its_row_its_age_and_its_payload_on_demand() -> None:
    """The time itself is its title; if Novu holds the text, the page explains it."""
    page = arrived(event_of("acme"), event_of("acme", email={"body": "1"}))
    html = main(page.render({}))
    assert html.count("<b>#17</b>") == 2
    assert (
        'href="http://temporal.example/namespaces/default/workflows?query=XnovuNotificationId%3D%2217%22"'
        in html
    )
    assert re.search(r'<time datetime="(\d{4}-.*?Z)" title="\1" data-ms="\d+">\d+ \w+ ago</time>', html)
    assert [html.count(found) for found in ("Novu holds the text", "/_standin/page/1/event")] == [1, 1]


def test_the_overview_counts_by_enterprise_and_channel() -> None:
    """Each count links to the triggers that it counts, and you can choose one enterprise and channel."""
    page = arrived(
        event_of("acme", email={"subject": "one"}, sms={"body": "two"}),
        event_of("acme", email={"subject": "four"}),
        event_of("other", sms={"body": "three"}),
    )
    assert '<a href="/?enterprise=acme&amp;channel=email">2</a>' in page.render({})
    html = main(page.render({"enterprise": "acme", "channel": "sms"}))
    assert [text in html for text in ("two", "one", "three", "four")] == [True, False, False, False]


def test_only_the_latest_are_shown_with_a_link_to_older_triggers() -> None:
    """The newest come first."""
    page = arrived(*(event_of("acme", sms={"body": f"text-{number}."}) for number in range(1, 6)))
    html = page.render({"limit": "2"})
    assert html.index("text-5.") < html.index("text-4.")
    assert "text-3." not in html
    assert 'href="/?limit=2&amp;before=4"' in html
    oldest = page.render({"limit": "3", "before": "4"})
    assert "text-1." in oldest
    assert "Older" not in oldest


def test_an_empty_page_says_so() -> None:
    """A blank page would look like a fault."""
    assert "No messages yet." in arrived().render({})


@pytest.mark.parametrize(
    ("before_ms", "age"), [(0, "0 s"), (90_000, "1 min"), (7_300_000, "2 h"), (10**9, "11 d")]
)
def test_an_age_has_the_largest_unit(monkeypatch: pytest.MonkeyPatch, before_ms: int, age: str) -> None:
    """A time of the future, by a clock that was set back, is now."""
    monkeypatch.setattr("time.time", lambda: 10**9 + 0.5)
    assert describe_age(10**12 - before_ms) == f"{age} ago"
    assert describe_age(10**12 + 9000) == "0 s ago"


def test_a_text_keeps_its_letters_and_lines() -> None:
    """Only what hides or turns a text is shown as its code."""
    assert show_hidden("消防 مرحبا 👩‍🚒\n\t") == "消防 مرحبا 👩‍🚒\n\t"
    assert show_hidden("a\u2066b\x1b\u200f") == "a\\u2066b\\u001b\\u200f"
