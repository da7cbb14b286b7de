"""Whether a notification may be sent at all, before its payload is looked at."""

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from tests.support.held import NOW, held, workflow
from xnovu_poller.delivery.validate import check_payload, read_values, require_usable, without_trace
from xnovu_poller.errors import PayloadInvalid, Poison, WorkflowNotFound
from xnovu_poller.lifecycle import MAX_LAPSES, PublishStatus
from xnovu_poller.schemas.check import Schemas
from xnovu_poller.store.notifications.hold import Held
from xnovu_poller.store.workflows import MOST_SCHEMA_BYTES
from xnovu_poller.templates.variables import DEEPEST


def test_without_a_schema_everything_fits() -> None:
    """A schema is optional."""
    check_payload(Schemas(), held(), workflow(), {"any": "thing"})


@pytest.mark.parametrize("fired_at", [None, NOW])
def test_no_producer_writes_our_part_of_the_payload(fired_at: datetime | None) -> None:
    """Otherwise it could forge the time of a firing; a rule's payload is refused as well."""
    with pytest.raises(PayloadInvalid, match=r"\$\.xnovu is reserved"):
        check(held(payload={"xnovu": {}}, fired_at=fired_at))
    check(held(payload={"order": {"xnovu": 1}}, fired_at=fired_at))


def check(unread: Held) -> None:
    """Check a payload at which neither a schema nor a template looks."""
    check_payload(Schemas(), held(), workflow(), read_values(unread, used=False))


def test_a_payload_is_read_only_if_somebody_looks_at_it() -> None:
    """Otherwise it is sent as it was stored."""
    plain = held(payload={"a": 1, "note": 'says "xnovu": nothing'})

    assert read_values(plain, used=False) == {}
    assert read_values(plain, used=True) == {"a": 1, "note": 'says "xnovu": nothing'}


@pytest.mark.parametrize(
    ("payload", "rest"),
    [
        ({"n": 1, "xnovu_trace": {"traceparent": "00-a"}, "ü": "\u0001"}, {"n": 1, "ü": "\u0001"}),
        ({"xnovu_trace": "nonsense"}, {}),
        ({"order": {"xnovu_trace": 1}}, {"order": {"xnovu_trace": 1}}),
        ({"note": 'has "xnovu_trace": in it'}, {"note": 'has "xnovu_trace": in it'}),
    ],
)
def test_the_trace_of_the_producer_goes_no_further(payload: dict[str, Any], rest: dict[str, Any]) -> None:
    """No schema, template or recipient sees it, valid or not; everything else stays."""
    assert json.loads(without_trace(held(payload=payload)).payload) == rest


def test_numbers_keep_their_digits_beside_a_trace() -> None:
    """The payload is taken apart as text."""
    traced = replace(held(), payload=b'{"n": 1.10, "big": 12345678901234567890123, "xnovu_trace": {}}')

    assert without_trace(traced).payload == b'{"n": 1.10, "big": 12345678901234567890123}'


def test_a_payload_that_breaks_the_schema_is_refused() -> None:
    """The schema is the workflow's."""
    with pytest.raises(PayloadInvalid, match="required"):
        check_payload(Schemas(), held(), workflow(schema='{"required": ["a"]}'), {})


def test_a_schema_that_was_too_large_to_be_read_lets_nothing_pass() -> None:
    """A schema that was not read is not the same as no schema."""
    with pytest.raises(PayloadInvalid, match=f"65537 bytes of {MOST_SCHEMA_BYTES}"):
        check_payload(Schemas(), held(), workflow(schema_bytes=MOST_SCHEMA_BYTES + 1), {})


@pytest.mark.parametrize("enterprise", [None, "acme"])
def test_a_published_workflow_is_usable_if_it_is_own_or_global(enterprise: str | None) -> None:
    """An enterprise uses its own workflows and the global workflows."""
    own = workflow(enterprise_id=enterprise)
    assert require_usable(held(), own) is own


@pytest.mark.parametrize("status", [status for status in PublishStatus if status != "PUBLISH"])
def test_only_published_workflows_are_usable(status: PublishStatus) -> None:
    """The error names the state that it is in."""
    with pytest.raises(WorkflowNotFound, match=f"is {status}"):
        require_usable(held(), workflow(publish_status=status))


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (None, "no such workflow"),
        (workflow(enterprise_id="globex"), "no such workflow"),
        (workflow(deactivated=True), "deactivated"),
    ],
    ids=["none", "another enterprise's", "deactivated"],
)
def test_other_workflows_are_refused(found: Any, message: str) -> None:  # noqa: ANN401 - a workflow or none
    """Another enterprise's workflow looks as if it did not exist."""
    with pytest.raises(WorkflowNotFound, match=message):
        require_usable(held(), found)


def test_a_foreign_workflow_is_not_named() -> None:
    """Its key belongs to the other tenant."""
    with pytest.raises(WorkflowNotFound) as caught:
        require_usable(held(), workflow(enterprise_id="globex", key="globex-secret"))
    assert "globex" not in str(caught.value)


def test_poison_comes_after_the_third_lapse() -> None:
    """Three lapses may be bad luck."""
    require_usable(held(lapses=MAX_LAPSES), workflow())
    with pytest.raises(Poison):
        require_usable(held(lapses=MAX_LAPSES + 1), workflow())


def nested(levels: int) -> bytes:
    """Return a document of this many levels."""
    return b'{"a":' * levels + b"1" + b"}" * levels


@pytest.mark.parametrize("column", ["payload", "overrides"])
def test_a_column_that_is_nested_too_deep_is_not_sent(column: str) -> None:
    """It could fail the call of a whole group; many short lists are no harm."""
    for levels in (DEEPEST + 1, 2_000, 100_000):
        with pytest.raises(PayloadInvalid, match="nested too deep"):
            read_values(held(**{column: nested(levels)}), used=False)
    read_values(held(**{column: nested(DEEPEST)}), used=False)
    read_values(held(**{column: {"a": [[]] * 2_000}}), used=False)


def test_a_number_that_python_cannot_read_is_sent_if_nobody_looks_at_it() -> None:
    """A schema or a template would have to read it."""
    long = held(payload=b'{"n": ' + b"9" * 4_301 + b"}")

    assert read_values(long, used=False) == {}
    with pytest.raises(PayloadInvalid, match="a number is too long"):
        read_values(long, used=True)
