"""The delivery of a group: each row ends in the right state, and Novu gets it once."""

import asyncio
from datetime import timedelta

import pytest

from tests.support.delivering import PERSON, SHORT, Delivering, a_claimed, delivering, lapsed
from tests.support.novu import NovuStandIn
from tests.support.rows import Db, a_template, a_workflow, row, soon, written
from tests.support.waiting import eventually
from xnovu_poller.errors import NovuThrottled, Unfinished
from xnovu_poller.lifecycle import Attempt, Origin, Refused, Status
from xnovu_poller.store.engine import Engine

PAUSE = Refused(NovuThrottled(timedelta(minutes=1)))


async def test_a_notification_is_sent(executor: Delivering, db: Db, novu_standin: NovuStandIn) -> None:
    """PROCESSING becomes SENT without hold or lease, and Novu delivers once."""
    attempt = a_claimed(db)

    assert await executor.deliver(attempt) == [Status.SENT]

    sent = row(db, attempt.notification_id)
    assert sent["notification_status"] == "SENT"
    assert (sent["send_until"], sent["lease_expires_at"], sent["error_details"]) == (None, None, None)
    assert sent["processed_at"] is not None
    assert novu_standin.deliveries() == {(sent["transaction_id"], PERSON): 1}


async def test_novu_gets_the_payload_with_our_additions(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """The enterprise, the channels and the rendered text are added; the overrides are passed on."""
    a_template(
        db,
        key="parcel",
        subject_template="For ${name}",
        body_template="<b>${payload.name}</b> ${count}",
        defaults={"count": 2},
    )
    workflow = a_workflow(
        db,
        key="parcel-sent",
        workflow_type="DYNAMIC",
        default_channels="{EMAIL}",
        template_overrides={"EMAIL": "parcel"},
    )
    attempt = a_claimed(db, workflow=workflow, payload={"name": "A&B"}, overrides={"email": {"from": "x"}})

    await executor.deliver(attempt)

    [trigger] = novu_standin.ledger()["triggers"]
    assert trigger["workflow"] == "parcel-sent"
    assert trigger["event"]["payload"] == {
        "name": "A&B",
        "xnovu": {
            "enterprise_id": "acme",
            "channels": ["email"],
            "notification_id": attempt.notification_id,
            "rendered": {"email": {"subject": "For A&B", "body": "<b>A&amp;B</b> 2", "text": "A&B 2"}},
        },
    }
    assert trigger["event"]["overrides"] == {"email": {"from": "x"}}


async def test_a_changed_workflow_applies_from_the_next_delivery_on(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """The cache keeps workflows by their version."""
    workflow = a_workflow(db, key="before")
    await executor.deliver(a_claimed(db, workflow=workflow))
    db.execute("UPDATE notify.ent_notification_workflow SET workflow_key = 'after' WHERE id = %s", [workflow])

    await executor.deliver(a_claimed(db, workflow=workflow))

    assert [trigger["workflow"] for trigger in novu_standin.ledger()["triggers"]] == ["before", "after"]


async def test_a_bad_row_does_not_affect_its_group(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """Nineteen rows are sent, and a single row is DEAD with the reason."""
    workflow = a_workflow(db)
    good = [a_claimed(db, workflow=workflow, recipients=[f"s{i}"]) for i in range(19)]
    bad = a_claimed(db, workflow=a_workflow(db, key="draft", publish_status="DRAFT"))

    endings = await executor.deliver(*good[:7], bad, *good[7:])

    assert sorted(ending.name for ending in endings) == ["DEAD", *["SENT"] * 19]
    assert row(db, bad.notification_id)["error_details"]["code"] == "workflow_not_found"
    assert sum(novu_standin.deliveries().values()) == 19


async def test_a_payload_that_python_cannot_read_does_not_affect_its_group(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """What nobody reads is sent as it was stored; the stand-in is written in Python too, and refuses it."""
    long = f'{{"n": {"9" * 5000}}}'
    deep = f'{{"n": {"[" * 3000}{"]" * 3000}}}'
    bad = [a_claimed(db, payload=text) for text in (long, deep)]
    good = a_claimed(db)

    endings = await executor.deliver(*bad, good)

    assert sorted(ending.name for ending in endings) == ["DEAD", "DEAD", "SENT"]
    found = db.execute(
        "SELECT error_details->>'code' AS code FROM notify.ent_notification ORDER BY id"
    ).fetchall()
    assert [kept_row["code"] for kept_row in found] == ["novu_rejected", "validation_error", None]


async def test_a_template_name_that_is_not_a_text_does_not_affect_others(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """A tenant's broken workflow must not harm another tenant's notification."""
    odd = a_workflow(
        db,
        enterprise="acme",
        key="odd",
        workflow_type="DYNAMIC",
        default_channels="{EMAIL}",
        template_overrides={"EMAIL": {"a": 1}},
    )

    endings = await executor.deliver(a_claimed(db, workflow=odd), a_claimed(db, enterprise="globex"))

    assert sorted(ending.name for ending in endings) == ["DEAD", "SENT"]


async def test_a_late_attempt_sends_nothing_and_changes_nothing(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """Another attempt of the row, or of a row that never existed."""
    attempt = a_claimed(db)
    before = row(db, attempt.notification_id)

    endings = await executor.deliver(
        Attempt(attempt.notification_id, 0), Attempt(attempt.notification_id, 2), Attempt(10**9, 1), last=True
    )

    assert endings == []
    assert row(db, attempt.notification_id) == before
    assert novu_standin.stats()["calls"] == 0


async def test_a_try_waits_while_a_twin_sends(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """Nothing is sent, the row does not change, and the next try comes when the hold has passed."""
    attempt = a_claimed(db)
    written(db, attempt.notification_id, send_until=soon())
    before = row(db, attempt.notification_id)

    with pytest.raises(Unfinished) as caught:
        await executor.deliver(attempt)

    assert caught.value.pause > timedelta(seconds=30)
    assert row(db, attempt.notification_id) == before
    assert novu_standin.stats()["calls"] == 0


async def test_two_executions_of_an_attempt_never_send_at_once(
    engine: Engine, executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """The second finds a live send while the first waits for Novu."""
    attempt = a_claimed(db)
    novu_standin.fault("slow", seconds=30)
    first = asyncio.create_task(executor.deliver(attempt))
    await eventually(lambda: novu_standin.stats()["calls"] == 1)

    async with delivering(engine, novu_standin) as twin:
        with pytest.raises(Unfinished):
            await twin.deliver(attempt)
    novu_standin.clear_faults()

    assert await first == [Status.SENT]
    assert novu_standin.stats()["calls"] == 1


async def test_a_lapsed_row_is_counted_and_sent_by_itself(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """Its sender died: the row counts a lapse and an unknown outcome, and is sent after its group."""
    died, healthy = a_claimed(db), a_claimed(db)
    lapsed(db, died)

    assert await executor.deliver(died, healthy) == [Status.SENT, Status.SENT]

    kept = row(db, died.notification_id)
    assert (kept["lapses"], kept["unknown_outcomes"], kept["notification_status"]) == (1, 1, "SENT")
    order = [trigger["transaction_id"] for trigger in novu_standin.ledger()["triggers"]]
    assert order == [row(db, attempt.notification_id)["transaction_id"] for attempt in (healthy, died)]


async def test_a_process_sends_lapsed_rows_in_turn(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """While a send is under way, the next row is not even held."""
    first, second = a_claimed(db), a_claimed(db)
    for attempt in (first, second):
        lapsed(db, attempt)
    novu_standin.fault("slow", seconds=30)
    begun = asyncio.create_task(executor.deliver(first))
    await eventually(lambda: novu_standin.stats()["calls"] == 1)
    waiting = asyncio.create_task(executor.deliver(second))
    await eventually(lambda: executor.delivery._delivering_lapsed._waiters)

    assert row(db, second.notification_id)["lapses"] == 0
    novu_standin.clear_faults()

    assert await begun == await waiting == [Status.SENT]


async def test_a_lapsed_row_is_not_held_when_time_has_run_out(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """An interrupted send would count as another lapse."""
    attempt = a_claimed(db)
    lapsed(db, attempt)

    with pytest.raises(Unfinished):
        await executor.deliver(attempt, budget=0)

    assert row(db, attempt.notification_id)["lapses"] == 0
    assert novu_standin.stats()["calls"] == 0


async def test_a_row_that_kills_its_senders_is_dead_without_another_send(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """After the third lapse it is sent once more; the fourth lapse is the last."""
    third, fourth = a_claimed(db), a_claimed(db)
    lapsed(db, third, 2)
    lapsed(db, fourth, 3)

    endings = await executor.deliver(third, fourth)

    assert sorted(ending.name for ending in endings) == ["DEAD", "SENT"]
    assert row(db, fourth.notification_id)["error_details"]["code"] == "poison"
    assert novu_standin.stats()["calls"] == 1


async def test_a_closed_gate_releases_everything_without_a_hold(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """PROCESSING becomes PENDING; nothing is counted, and Novu is not called."""
    attempts = [a_claimed(db) for _ in range(3)]
    executor.gate.observe(Origin("acme", "another", "another"), PAUSE)

    assert await executor.deliver(*attempts) == [Status.PENDING] * 3

    for attempt in attempts:
        kept = row(db, attempt.notification_id)
        assert kept["notification_status"] == "PENDING"
        assert (kept["failure_count"], kept["refusals"], kept["lease_expires_at"]) == (0, 0, None)
    assert novu_standin.stats()["calls"] == 0


async def test_a_closed_gate_does_not_release_what_a_twin_is_sending(executor: Delivering, db: Db) -> None:
    """A row that may be on its way must not be released."""
    attempt = a_claimed(db)
    written(db, attempt.notification_id, send_until=soon())
    executor.gate.observe(Origin("acme", "another", "another"), PAUSE)

    assert await executor.deliver(attempt) == []
    assert row(db, attempt.notification_id)["notification_status"] == "PROCESSING"


async def test_a_cancelled_delivery_keeps_its_hold(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """Novu may have accepted it, so the next try waits, and sends it under the same transaction id."""
    attempt = a_claimed(db)
    novu_standin.fault("accept_then_hang")
    sending = asyncio.create_task(executor.deliver(attempt))
    await eventually(lambda: novu_standin.stats()["accepted"] == 1)

    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    with pytest.raises(Unfinished):
        await executor.deliver(attempt)
    lapsed(db, attempt)
    assert await executor.deliver(attempt) == [Status.SENT]

    assert (novu_standin.stats()["deliveries"], novu_standin.stats()["duplicates"]) == (1, 0)


async def test_lost_contact_is_a_failed_attempt(executor: Delivering, db: Db) -> None:
    """PROCESSING becomes FAILED and counts; a twin's live send is not touched."""
    lost, live = a_claimed(db), a_claimed(db)
    written(db, live.notification_id, send_until=soon())

    for attempt in (lost, live):
        await executor.delivery.record_lost_contact([attempt])

    kept = row(db, lost.notification_id)
    assert (kept["notification_status"], kept["failure_count"]) == ("FAILED", 1)
    assert kept["error_details"]["code"] == "lost_contact"
    assert row(db, live.notification_id)["notification_status"] == "PROCESSING"


async def test_lost_contact_of_a_group_counts_against_no_row(executor: Delivering, db: Db) -> None:
    """Any of its rows may have killed the process."""
    group = [a_claimed(db), a_claimed(db)]

    await executor.delivery.record_lost_contact(group)

    kept = [row(db, attempt.notification_id) for attempt in group]
    assert [(found["notification_status"], found["failure_count"]) for found in kept] == [("FAILED", 0)] * 2


async def test_a_notification_that_uses_up_the_time_before_its_call_has_failed(
    engine: Engine, db: Db, novu_standin: NovuStandIn
) -> None:
    """If it were released, it would be due at once, take as long again, and never end."""
    attempt = a_claimed(db)

    async with delivering(engine, novu_standin, call=timedelta(microseconds=1)) as executor:
        assert await executor.deliver(attempt) == [Status.FAILED]

    kept = row(db, attempt.notification_id)
    assert (kept["notification_status"], kept["failure_count"]) == ("FAILED", 1)
    assert (kept["error_details"]["code"], kept["unknown_outcomes"]) == ("unfinished", 0)
    assert novu_standin.stats()["triggers"] == 0


async def test_an_unknown_outcome_of_the_last_try_is_a_failed_attempt(
    engine: Engine, db: Db, novu_standin: NovuStandIn
) -> None:
    """No further try of this attempt follows."""
    attempt = a_claimed(db)
    novu_standin.fault("accept_then_hang")

    async with delivering(engine, novu_standin, call=SHORT) as executor:
        assert await executor.deliver(attempt, last=True) == [Status.FAILED]

    kept = row(db, attempt.notification_id)
    assert (kept["notification_status"], kept["failure_count"], kept["unknown_outcomes"]) == ("FAILED", 1, 1)
    assert kept["next_attempt_at"] > kept["updated_at"]
