from contextlib import closing
from pathlib import Path

from xnovu_poller.dev.standin.inbox import Query, make_entry
from xnovu_poller.dev.standin.ledger import Ledger, State
from xnovu_poller.dev.standin.messages import show
from xnovu_poller.dev.standin.workflow_routes import Step

HELLO = Step("sms", {"body": "Hello {{subscriber.firstName}}, {{payload.order}}"})
MAIL = Step("email", {"subject": "s", "body": "b", "skip": {"in": ["email", {"var": "payload.channels"}]}})
EVENT = {"name": "w", "payload": {"order": 42, "channels": ["sms"], "enterprise_id": "acme"}}


def test_a_step_is_shown_if_its_condition_is_met() -> None:
    """Each subscriber sees the text of its own profile; on the page, those who see the same are together."""
    ledger = Ledger()
    trigger = ledger.accept(EVENT, "t", "acme", ("sms",), (HELLO, MAIL))
    ledger.settle(trigger, State.DELIVERED, ["mei", "kim", "lee"])
    profiles = {"mei": {"firstName": "Mei"}, "kim": {"firstName": "Kim"}}

    assert show(trigger, EVENT, profiles["mei"]) == {"sms": {"body": "Hello Mei, 42"}}
    both = {**EVENT, "payload": {**EVENT["payload"], "channels": ["email"]}}  # type: ignore[dict-item] # JSON
    assert set(show(trigger, both, {})) == {"sms", "email"}
    shown = make_entry(trigger, Query(), profiles.get).messages
    assert [(message.people, message.body) for message in shown] == [
        (("mei",), "Hello Mei, 42"),
        (("kim",), "Hello Kim, 42"),
        (("lee",), "Hello , 42"),
    ]


def test_a_ledger_in_a_file_keeps_the_steps(tmp_path: Path) -> None:
    """The page shows the same after a restart."""
    path = tmp_path / "ledger"
    ledger = Ledger(path)
    ledger.settle(ledger.accept(EVENT, "t", "acme", ("sms",), (HELLO,)), State.DELIVERED, ["mei"])
    ledger.close()

    with closing(Ledger(path)) as restarted:
        (trigger,) = restarted.triggers()
    assert show(trigger, EVENT, {"firstName": "Mei"}) == {"sms": {"body": "Hello Mei, 42"}}
