"""The bounds of an enterprise at Novu: the database refuses what lies outside, from every program."""

import pytest
from psycopg.errors import CheckViolation, InsufficientPrivilege
from psycopg.types.json import Jsonb

from tests.support.logins import speak_for
from tests.support.rows import Db, a_notification, a_rule, a_workflow, engine_on, rewritten, written
from xnovu_poller.lifecycle import FireOutcome
from xnovu_poller.store import firing

BOUNDS = (
    "UPDATE notify.ent_enterprise SET subscriber_prefix = 'acme-', topic_prefix = 'acme/', workflow_keys = '{allowed}'"
    " WHERE enterprise_id = 'acme'"
)

OUTSIDE = (
    ["globex-1"],
    ["acme-1", "globex-1"],
    ["topic:globex/all"],
    [" topic:acme-1"],
    ["topic:acme-1"],
    ["ACME-1"],
)
INSIDE = (["acme-1"], ["topic:acme/all", "acme-2"])


@pytest.mark.parametrize("recipients", OUTSIDE)
def test_a_recipient_outside_is_refused(
    two_enterprises: Db, producer: Db, tenant: Db, recipients: list[str]
) -> None:
    """In a notification and in a rule, at the insert and at a change; no message has the recipient."""
    two_enterprises.execute(BOUNDS)
    speak_for(producer, "acme")
    everyones = a_workflow(two_enterprises, key="for all")
    for writer in (two_enterprises, producer):
        for good in INSIDE:
            made = a_notification(writer, workflow=everyones, recipients=good)
            rule = a_rule(writer, workflow=everyones, rule_payload={"recipients": good})
        for write in (
            lambda who=writer: a_notification(who, recipients=recipients),
            lambda who=writer, made=made: written(who, made, recipients=recipients),
            lambda who=writer: a_rule(who, workflow=everyones, rule_payload={"recipients": recipients}),
            lambda who=writer, rule=rule: rewritten(who, rule, rule_payload={"recipients": recipients}),
        ):
            with pytest.raises(CheckViolation, match="outside the bounds of enterprise") as refused:
                write()
            assert recipients[-1] not in str(refused.value.diag.message_primary)
    with pytest.raises(CheckViolation, match="outside the bounds"):
        tenant.execute("SELECT notify.enqueue('acme', 'for all', %s)", [recipients])


def test_an_enterprise_without_bounds_may_address_anybody(two_enterprises: Db) -> None:
    """Without a row, or with empty columns."""
    for enterprise in ("acme", "unknown"):
        a_notification(two_enterprises, enterprise=enterprise, recipients=["anybody", "topic:anything"])


def test_a_workflow_key_must_be_allowed(two_enterprises: Db, producer: Db, tenant: Db) -> None:
    """For the enterprise's own workflows; a notification of a workflow from before is refused."""
    before = a_workflow(two_enterprises, enterprise="acme", key="before")
    two_enterprises.execute(BOUNDS)
    speak_for(producer, "acme")

    own = a_workflow(producer, enterprise="acme", key="allowed")
    a_notification(producer, workflow=own, recipients=["acme-1"])
    for write in (
        lambda: a_workflow(producer, enterprise="acme", key="private to globex"),
        lambda: producer.execute(
            "UPDATE notify.ent_notification_workflow SET workflow_key = 'a' WHERE id = %s", [own]
        ),
        lambda: tenant.execute("SELECT notify.save_workflow('private to globex', 'STATIC')"),
    ):
        with pytest.raises(CheckViolation, match="may not have a workflow of this key"):
            write()
    with pytest.raises(CheckViolation, match="outside the bounds"):
        a_notification(producer, workflow=before, recipients=["acme-1"])


def test_the_bounds_of_others_stay_secret(two_enterprises: Db, producer: Db) -> None:
    """Inside or outside: the refusal is that of row-level security."""
    two_enterprises.execute(BOUNDS)
    speak_for(producer, "globex")

    refusals = set()
    for recipients in (*OUTSIDE, *INSIDE):
        with pytest.raises(InsufficientPrivilege, match="row-level security") as refused:
            a_notification(producer, enterprise="acme", recipients=recipients)
        refusals.add(str(refused.value))
    assert len(refusals) == 1


async def test_a_rule_from_before_the_bounds_fires_without_effect(
    two_enterprises: Db, any_database: str
) -> None:
    """Its next firing inside the bounds makes a notification again."""
    workflow = a_workflow(two_enterprises, key="for all")
    rule = a_rule(two_enterprises, workflow=workflow, rule_payload={"recipients": ["globex-1"]})
    two_enterprises.execute(BOUNDS)

    async with engine_on(any_database) as engine:
        assert (await firing.fire(engine, rule, "a", None)).outcome is FireOutcome.REFUSED
        rewritten(two_enterprises, rule, rule_payload=Jsonb({"recipients": ["acme-1"]}))
        assert (await firing.fire(engine, rule, "b", None)).outcome is FireOutcome.CREATED
