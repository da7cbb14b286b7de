"""The meaning of each of Novu's answers."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from xnovu_poller.errors import (
    NovuBlocked,
    NovuError,
    NovuRejected,
    NovuThrottled,
    NovuUnanswered,
    NovuUnauthorized,
    NovuUnavailable,
)
from xnovu_poller.lifecycle import Accepted, Refused, Unknown
from xnovu_poller.novu import answers

ERROR = {"statusCode": 400, "timestamp": "2026-01-01T00:00:00Z", "path": "/v1/events/trigger"}


def refused(status: int, **answer: Any) -> NovuError:  # noqa: ANN401 - as httpx takes them
    """Return the error that an answer is read as."""
    with pytest.raises(NovuError) as caught:
        answers.read_content(httpx.Response(status, **answer))
    return caught.value


def reason(status: int, members: dict[str, Any]) -> str:
    """Return the reason of a rejection."""
    error = refused(status, json={**ERROR, **members})
    assert isinstance(error, NovuRejected)
    return error.reason


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (400, NovuRejected),
        (401, NovuUnauthorized),
        (402, NovuUnauthorized),
        (403, NovuUnauthorized),
        (404, NovuUnauthorized),
        (405, NovuUnauthorized),
        (408, NovuUnanswered),
        (409, NovuUnanswered),
        (410, NovuUnauthorized),
        (413, NovuRejected),
        (415, NovuRejected),
        (422, NovuRejected),
        (425, NovuUnavailable),
        (429, NovuThrottled),
        (500, NovuUnanswered),
        (501, NovuUnanswered),
        (502, NovuUnavailable),
        (503, NovuUnavailable),
        (504, NovuUnavailable),
        (520, NovuUnavailable),
        (530, NovuUnavailable),
        (599, NovuUnanswered),
        (101, NovuUnanswered),
    ],
)
def test_each_status_has_one_meaning(status: int, meaning: type[NovuError]) -> None:
    """Only the status decides whether to wait, to try again, to give up or to stop."""
    assert type(refused(status, json=ERROR)) is meaning


PAGES = [b"<html>413</html>", b"", b'"text"', b"[" * 100_000]
STRANGERS: list[Any] = [
    {"message": "Forbidden"},
    {"message": "Unauthorized", "request_id": "5f1c"},
    {"statusCode": 401, "message": "Access denied due to missing subscription key."},
    {"statusCode": 404, "message": "Route POST:/ not found", "error": "Not Found"},
    {
        "success": False,
        "errors": [{"code": 1020, "message": "Access denied"}],
        "messages": [],
        "result": None,
    },
    {"timestamp": "2026-01-01T00:00:00Z", "status": 403, "error": "Forbidden", "path": "/v1/events/trigger"},
    {"status": "error", "code": 403},
    ["no"],
]
"""Errors of Kong, Azure, Fastify, Cloudflare, Spring and others: JSON, but not Novu's."""


@pytest.mark.parametrize("status", [301, 302, 308, 400, 401, 403, 404, 407, 413, 415, 418, 422, 431, 451])
@pytest.mark.parametrize("content", [*PAGES, *(json.dumps(body).encode() for body in STRANGERS)])
def test_a_refusal_that_novu_did_not_write_is_not_its_word(status: int, content: bytes) -> None:
    """It came from a proxy or another server: it proves nothing about the key, nor about the notification."""
    error = refused(status, content=content)
    assert type(error) is NovuBlocked
    assert f"something in front of it answers {status};" in str(error)


def test_a_code_of_novu_is_its_word_in_any_form() -> None:
    """A Novu of another version may write its errors in another form."""
    assert type(refused(422, json={"message": "workflow_not_found"})) is NovuRejected


def test_a_page_with_429_is_a_firewalls() -> None:
    """Novu asks for a pause in words or headers; a page may be about this notification only."""
    page = {"Content-Type": "text/html; charset=utf-8"}
    assert type(refused(429, headers=page, content=b"<html>")) is NovuBlocked
    assert type(refused(429, headers={**page, "Retry-After": "7"}, content=b"<html>")) is NovuThrottled


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"status": "processed"}', b"\xff\xfe\xff"])
def test_a_success_without_an_envelope_is_unknown(body: bytes) -> None:
    """Something answered 201, and nobody knows what it did."""
    assert type(refused(201, content=body)) is NovuUnanswered


def test_the_result_is_taken_from_the_envelope() -> None:
    """Novu sends a result in `data`."""
    assert answers.read_content(httpx.Response(200, json={"data": False})) is False


def test_only_processed_is_accepted() -> None:
    """Novu also answers 201 to triggers that it will never send."""
    assert answers.read_outcome({"acknowledged": True, "status": "processed"}, "xn-1") == Accepted()


@pytest.mark.parametrize("name", ["xn-2", "", 1, None, ["xn-1"]])
def test_an_answer_to_another_transaction_is_unknown(name: object) -> None:
    """A proxy mixed the answers up, or repeats an earlier answer."""
    item = {"acknowledged": True, "status": "processed", "transactionId": name}
    assert isinstance(answers.read_outcome(item, "xn-1"), Unknown)


@pytest.mark.parametrize(
    "status",
    [
        "trigger_not_active",
        "no_workflow_steps_defined",
        "no_workflow_active_steps_defined",
        "no_tenant_found",
        "invalid_recipients",
    ],
)
def test_any_other_status_in_a_success_is_a_rejection(status: str) -> None:
    """The error names Novu's own code."""
    outcome = answers.read_outcome({"acknowledged": True, "status": status}, "xn-1")
    assert isinstance(outcome, Refused)
    assert str(outcome.error) == f"Novu: rejects it with 201 ({status})"


def test_the_error_of_a_bulk_item_contains_its_code() -> None:
    """The status is only `error`; the code is beside it."""
    outcome = answers.read_outcome({"status": "error", "error": ["Not found", "workflow_not_found"]}, "xn-1")
    assert isinstance(outcome, Refused)
    assert str(outcome.error) == "Novu: rejects it with 201 (workflow_not_found)"


@pytest.mark.parametrize("item", [None, "processed", {}, {"acknowledged": True}, {"status": None}, []])
def test_an_answer_without_a_status_is_unknown(item: object) -> None:
    """Without a status nobody knows whether Novu accepted it."""
    assert isinstance(answers.read_outcome(item, "xn-1"), Unknown)


@pytest.mark.parametrize(
    ("members", "wanted"),
    [
        ({"message": "workflow_not_found"}, "workflow_not_found"),
        ({"type": "PAYLOAD_VALIDATION_ERROR", "message": "x"}, "PAYLOAD_VALIDATION_ERROR"),
        ({"message": ["prose first", "invalid_recipients"]}, "invalid_recipients"),
        ({"errors": {"to": {"messages": ["no"], "value": "Ann"}, "name": {}}}, "fields: name, to"),
        ({"errors": {"to.0.subscriberId": {}, "to.ann": {}}}, "fields: to"),
        ({"errors": {"payload.jane_doe": {}, "iban_of_jane": {}}}, "fields: payload"),
    ],
)
def test_a_rejection_contains_novus_code_or_the_members_of_the_trigger(
    members: dict[str, Any], wanted: str
) -> None:
    """An operator can see what needs correcting."""
    assert reason(422, members) == wanted


@pytest.mark.parametrize(
    "members",
    [
        {"message": "subscriber ann@example.com is not valid"},
        {"message": "ann@example.com"},
        {"message": "user_4711"},
        {"message": "secret"},
        {"message": "jane_doe"},
        {"type": "JANE_DOE"},
        {"error": ["no_such_code"]},
        {"errors": {"jane_doe": {}, "ann.bob": {}}},
        {"message": "a" * 40 + "_" + "b" * 40},
        {"message": {"to": "ann"}},
        {"message": None, "error": "Bad Request"},
        {"errors": {"ann@example.com": {}}},
        {"errors": [{"field": "name", "message": "no", "value": "Ann"}]},
    ],
)
def test_a_rejection_never_quotes_prose_ids_or_values(members: dict[str, Any]) -> None:
    """Novu's prose may contain a recipient or a part of the payload, and errors reach logs."""
    assert reason(400, members) == "unspecified"


def test_a_key_reused_for_another_body_means_an_unknown_outcome() -> None:
    """An earlier call of the transaction went out, and nobody knows how it ended."""
    members = {**ERROR, "message": "Request with key is being reused for a different body"}
    assert type(refused(422, json=members)) is NovuUnanswered


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "0"}, 1),
        ({"Retry-After": "999999999"}, 300),
        ({"Retry-After": "9" * 5000}, 5),
        ({"Retry-After": "soon"}, 5),
        ({"Retry-After": "-3"}, 5),
        ({"Retry-After": "nan"}, 5),
        ({"RateLimit-Reset": "3"}, 3),
        ({"Retry-After": "7", "RateLimit-Reset": "3"}, 7),
        ({"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"}, 1),
        ({"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}, 300),
        ({}, 5),
    ],
)
def test_the_pause_that_novu_asks_for_is_limited(headers: dict[str, str], wanted: int) -> None:
    """It is read as seconds or a date: at least one second, at most five minutes, and five seconds by default."""
    error = refused(429, headers=headers, text="API rate limit exceeded")
    assert isinstance(error, NovuThrottled)
    assert error.pause == timedelta(seconds=wanted)


def test_a_date_is_read_as_the_time_until_then() -> None:
    """Retry-After may contain a date instead of seconds."""
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    error = refused(503, headers={"Retry-After": moment})
    assert isinstance(error, NovuUnavailable)
    assert error.pause is not None
    assert timedelta(seconds=2) < error.pause <= timedelta(seconds=100)


@pytest.mark.parametrize(
    ("members", "wanted"), [("0", 0), ("59", 59), ("", None), ("many", None), ("-1", None)]
)
def test_the_rate_limit_is_read_where_it_is_a_number(members: str, wanted: int | None) -> None:
    """A header that is not Novu's limits nothing."""
    assert answers.read_remaining(httpx.Response(200, headers={"RateLimit-Remaining": members})) == wanted


def named(name: str | None) -> dict[str, Any]:
    """Return an item of a bulk answer."""
    return {"status": "processed"} if name is None else {"status": "processed", "transactionId": name}


@pytest.mark.parametrize(
    ("items", "wanted"),
    [
        ([named("a"), named("b")], [0, 1]),
        ([named("b"), named("a")], [1, 0]),
        ([named(None), named("b")], [0, 1]),
        ([named("b"), named(None)], [None, 0]),
        ([named("other"), named("b")], [0, 1]),
        ([named(None), named(None)], [0, 1]),
        ([named("b")], [None, 0]),
        ([named(None)], [None, None]),
        ([], [None, None]),
        (["text", {"transactionId": []}], [0, 1]),
    ],
)
def test_bulk_items_are_matched_by_transaction_or_else_by_place(
    items: list[Any], wanted: list[int | None]
) -> None:
    """If an item cannot be matched, the event's outcome is unknown."""
    found = answers.match_items(["a", "b"], items)
    assert found == [None if place is None else items[place] for place in wanted]
