import json

import pydantic
import pytest

from xnovu_poller.dev.standin.calls import Call, Json
from xnovu_poller.dev.standin.faults import Fault, Faults, Kind, Match

EVENT = {
    "name": "welcome",
    "to": ["s-1", {"type": "Topic", "topicKey": "all"}],
    "transactionId": "xn-1-0",
    "payload": {"xnovu": {"enterprise_id": "acme"}},
}


def trigger(body: Json = EVENT) -> Call:
    """Return a trigger call."""
    return Call("POST", "/v1/events/trigger", body=body)


@pytest.mark.parametrize(
    ("match", "fits"),
    [
        (Match(), True),
        (Match(workflow="welcome"), True),
        (Match(workflow="goodbye"), False),
        (Match(transaction_id="xn-1*"), True),
        (Match(recipient="all"), True),
        (Match(recipient="s-2"), False),
        (Match(enterprise="acme", recipient="s-1"), True),
        (Match(enterprise="acme", recipient="s-2"), False),
        (Match(method="DELETE"), False),
        (Match(path="/v2/*"), False),
    ],
)
def test_every_member_of_a_match_must_fit(match: Match, fits: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Events are matched by workflow, transaction, recipient and enterprise."""
    assert match.matches(trigger()) is fits
    assert match.matches(trigger({"events": [{"name": "other"}, EVENT]})) is fits


@pytest.mark.parametrize("body", [None, [], "text", {"events": 1}, {"to": 1, "payload": []}])
def test_a_body_of_any_shape_can_be_matched(body: Json) -> None:
    """Faults apply before the body is checked."""
    assert not Match(recipient="s-1").matches(trigger(body))


def test_faults_are_used_up_in_order() -> None:
    """The first fault that fits is taken, until it has been taken `times` times."""
    faults = Faults()
    faults.add(Fault(kind=Kind.STATUS, times=2, status=500))
    faults.add(Fault(kind=Kind.THROTTLE, times=None))
    taken = [fault.kind for _ in range(4) if (fault := faults.take(trigger()))]
    assert taken == [Kind.STATUS, Kind.STATUS, Kind.THROTTLE, Kind.THROTTLE]
    assert len(faults.to_json()) == 1
    faults.clear()
    assert faults.take(trigger()) is None


def test_a_verdict_applies_to_an_event_and_not_to_a_call() -> None:
    """It does not affect the call, and the first event that fits uses it up."""
    faults = Faults()
    faults.add(Fault(kind=Kind.VERDICT, match=Match(recipient="s-1"), verdict="no_tenant_found"))
    assert faults.take(trigger()) is None
    assert faults.take_verdict({"name": "welcome", "to": "s-2"}) is None
    assert faults.take_verdict(EVENT) == "no_tenant_found"
    assert faults.take_verdict(EVENT) is None


def test_a_scripted_answer_has_novus_form() -> None:
    """An error has a body, a 503 is a bare string, a pause has a header, or the script sets its own text."""
    body = json.loads(Fault(kind=Kind.STATUS, status=500).answer("/p").content)
    assert (body["statusCode"], body["path"]) == (500, "/p")
    unavailable = Fault(kind=Kind.STATUS, status=503, retry_after=7).answer("/p")
    assert (unavailable.content, unavailable.headers) == (b'"scripted 503"', {"Retry-After": "7"})
    page = Fault(kind=Kind.STATUS, status=404, body="<h1>nginx</h1>").answer("/p")
    assert (page.content, page.media_type) == (b"<h1>nginx</h1>", "text/html")
    assert Fault(kind=Kind.THROTTLE).answer("/p").headers == {"Retry-After": "1"}


def test_a_misspelt_script_is_refused() -> None:
    """A fault that never happens would prove nothing."""
    with pytest.raises(pydantic.ValidationError):
        Fault.model_validate({"kind": "status", "match": {"worklow": "welcome"}})
