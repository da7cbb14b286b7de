"""No content of payloads, recipients and keys leaves the rows, except to Novu."""

import io
import traceback
from collections.abc import Iterator

import pytest

from tests.support.delivering import MARKERS, PERSON, VALUE, Delivering, a_claimed, delivering
from tests.support.logs import logged_in_full
from tests.support.novu import NovuStandIn
from tests.support.rows import Db, a_template, a_workflow
from xnovu_poller.delivery.trigger import Trigger
from xnovu_poller.errors import XnovuError
from xnovu_poller.store.engine import Engine


@pytest.fixture(autouse=True)
def lines() -> Iterator[io.StringIO]:
    """Everything that is logged."""
    with logged_in_full() as written:
        yield written


def read_errors(db: Db) -> str:
    """Return all error details of rows."""
    return str(db.execute("SELECT error_details FROM notify.ent_notification").fetchall()) + str(
        db.execute("SELECT error_details FROM notify.ent_notification_delivery").fetchall()
    )


def assert_silent(text: str) -> None:
    """Assert that the text contains no marker."""
    for marker in MARKERS:
        assert marker not in text


async def test_no_error_contains_a_value(
    engine: Engine,
    db: Db,
    novu_standin: NovuStandIn,
    lines: io.StringIO,
) -> None:
    """Errors of schemas, templates and Novu only have codes, paths and rules."""
    strict = {"properties": {"note": {"enum": [1]}}, "additionalProperties": False}
    surplus = {"additionalProperties": {"type": "integer"}}
    a_template(db, key="parcel", body_template="${note.missing}")
    workflows = [
        a_workflow(db, key="strict", payload_schema=strict),
        a_workflow(db, key="surplus", payload_schema=surplus),
        a_workflow(
            db,
            key="bad",
            workflow_type="DYNAMIC",
            default_channels="{EMAIL}",
            template_overrides={"EMAIL": "parcel"},
        ),
    ]
    raised = ""
    novu_standin.fault("status", status=422, body=f'{{"message": "{PERSON} is unknown", "{VALUE}": 1}}')
    novu_standin.fault("status", status=400)
    novu_standin.fault("accept_then_reset")
    novu_standin.fault("malformed", body=VALUE)
    async with delivering(engine, novu_standin) as executor:
        for workflow in workflows:
            await executor.deliver(a_claimed(db, workflow=workflow, payload={"note": VALUE, PERSON: VALUE}))
        for recipients in ([PERSON], [PERSON], [PERSON], [PERSON, *(f"{PERSON}{i}" for i in range(150))]):
            try:
                await executor.deliver(a_claimed(db, recipients=recipients))
            except XnovuError as error:
                raised += "".join(traceback.format_exception(error))

    printed = lines.getvalue()
    assert "notification dead" in printed
    assert_silent(printed + raised + read_errors(db))


async def test_only_the_name_and_place_of_a_bug_are_reported(
    executor: Delivering,
    db: Db,
    novu_standin: NovuStandIn,
    lines: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A foreign exception may quote content."""

    async def fail(*_: object, **__: object) -> None:
        raise KeyError(VALUE, PERSON)

    monkeypatch.setattr(Trigger, "_send_call", fail)
    attempt = a_claimed(db)

    await executor.deliver(attempt)

    printed = lines.getvalue()
    assert '"bug": "KeyError"' in printed
    assert '"at": "watch:' in printed
    assert_silent(printed + read_errors(db))
    assert "KeyError" in read_errors(db)
