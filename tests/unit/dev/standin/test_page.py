from xnovu_poller.dev.standin.calls import Json
from xnovu_poller.dev.standin.ledger import Ledger, State
from xnovu_poller.dev.standin.page import page

HOSTILE = "<script>alert('x')</script>\"'"


def arrived(*events: dict[str, Json]) -> Ledger:
    """Return a ledger in which the events were accepted and delivered, each in its channels."""
    ledger = Ledger()
    for event in events:
        payload = event["payload"]
        trigger = ledger.accept(event, "t", payload["enterprise_id"], tuple(payload.get("rendered", ())))
        ledger.settle(trigger, State.DELIVERED, [event["to"]])
    return ledger


def event_of(enterprise: str, **rendered: dict[str, Json]) -> dict[str, Json]:
    """Return an event with rendered text."""
    return {"name": "w", "to": "s-1", "payload": {"enterprise_id": enterprise, "rendered": rendered}}


def test_no_text_of_a_tenant_becomes_markup() -> None:
    """This holds for names, subjects, bodies, filters and links."""
    text = {"subject": HOSTILE, "body": HOSTILE}
    event = {**event_of(HOSTILE, email=text, sms=text, **{HOSTILE: text}), "name": HOSTILE, "to": HOSTILE}
    plain = {"name": HOSTILE, "to": HOSTILE, "payload": {"enterprise_id": HOSTILE, "text": HOSTILE}}
    triggers = arrived(event, plain).triggers()
    for query in ({}, {"enterprise": HOSTILE, "limit": "1"}):
        assert "<script" not in page(triggers, query)
    assert "<script" not in page(triggers, {"enterprise": HOSTILE, "channel": HOSTILE, "before": HOSTILE})


def test_an_email_is_shown_in_a_sandboxed_frame() -> None:
    """Its markup is escaped in the attribute; texts of other channels are shown as text."""
    html = page(arrived(event_of("acme", email={"body": "<b>hi</b>"}, sms={"body": "yo"})).triggers(), {})
    assert (
        '<iframe sandbox class="email" title="email" loading="lazy" srcdoc="&lt;b&gt;hi&lt;/b&gt;"></iframe>'
        in html
    )
    assert "<pre>yo</pre>" in html


def test_the_overview_counts_by_enterprise_and_channel() -> None:
    """Each count links to the triggers that it counts."""
    ledger = arrived(event_of("acme", email={"body": "1"}), event_of("acme", email={"body": "2"}))
    assert '<a href="/?enterprise=acme&amp;channel=email">2</a>' in page(ledger.triggers(), {})


def test_you_can_choose_one_enterprise_and_channel() -> None:
    """Nothing else is shown."""
    events = [
        event_of("acme", email={"body": "one"}, sms={"body": "two"}),
        event_of("other", sms={"body": "three"}),
    ]
    html = page(arrived(*events).triggers(), {"enterprise": "acme", "channel": "sms"})
    assert "two" in html
    assert "one" not in html.split("<h2>")[1]
    assert "three" not in html


def test_only_the_latest_are_shown_with_a_link_to_older_triggers() -> None:
    """The newest come first."""
    events = [event_of("acme", sms={"body": f"text-{number}."}) for number in range(1, 6)]
    triggers = arrived(*events).triggers()
    html = page(triggers, {"limit": "2"})
    assert html.index("text-5.") < html.index("text-4.")
    assert "text-3." not in html
    assert 'href="/?limit=2&amp;before=4">Older' in html
    oldest = page(triggers, {"limit": "3", "before": "4"})
    assert "text-1." in oldest
    assert "Older" not in oldest


def test_an_empty_page_says_so() -> None:
    """A blank page would look like a fault."""
    assert "No messages yet." in page([], {})
