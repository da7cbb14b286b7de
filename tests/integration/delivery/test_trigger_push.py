"""PUSH that goes by itself, and what else of a notification Novu gets beside payload and recipients."""

from typing import Any

import httpx
import pytest

from tests.support.delivering import PERSON, Delivering, a_claimed
from tests.support.novu import NovuStandIn
from tests.support.rows import Db, a_template, a_workflow, attempt_of, row
from tests.support.waiting import WITHIN
from xnovu_poller.errors import Unfinished
from xnovu_poller.lifecycle import Attempt, Status


def reclaim(db: Db, attempt: Attempt) -> Attempt:
    """Claim a released row, as a loop does."""
    db.execute(
        "UPDATE notify.ent_notification SET notification_status = 'PROCESSING', attempt = attempt + 1,"
        " lease_expires_at = now() + interval '5 min', temporal_workflow_id = 'again' WHERE id = %s",
        [attempt.notification_id],
    )
    return attempt_of(db, attempt.notification_id)


def chunks(db: Db, attempt: Attempt) -> list[dict[str, Any]]:
    """Return the delivery rows of a notification."""
    return db.execute(
        "SELECT * FROM notify.ent_notification_delivery WHERE notification_id = %s ORDER BY chunk",
        [attempt.notification_id],
    ).fetchall()


def a_mail_and_a_push(db: Db, **columns: object) -> Attempt:
    """Insert a claimed notification whose mail is too large for a push message."""
    keys = {"EMAIL": "long", "PUSH": "short"}
    for channel, body in (("EMAIL", "m" * 5_000), ("PUSH", "p")):
        a_template(db, key=keys[channel], channel_type=channel, body_template=body)
    made = a_workflow(
        db,
        key="both",
        workflow_type="DYNAMIC",
        default_channels="{EMAIL,PUSH}",
        template_overrides=keys,
    )
    return a_claimed(db, workflow=made, **columns)


async def test_push_goes_by_itself_if_the_mail_is_too_large_for_it(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """The mail keeps the notification's transaction id."""
    attempt = a_mail_and_a_push(db)

    assert await executor.deliver(attempt) == [Status.SENT]

    name = row(db, attempt.notification_id)["transaction_id"]
    ours = {
        trigger["event"]["transactionId"]: trigger["event"]["payload"]["xnovu"]
        for trigger in novu_standin.ledger()["triggers"]
    }
    assert {id_: (part["channels"], list(part["rendered"])) for id_, part in ours.items()} == {
        name: (["email"], ["email"]),
        f"{name}-push": (["push"], ["push"]),
    }
    assert [chunk["outcome"] for chunk in chunks(db, attempt)] == ["accepted", "accepted"]


async def test_push_has_a_chunk_for_each_hundred_recipients_too(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """Each with a transaction id of its own."""
    attempt = a_mail_and_a_push(db, recipients=[f"s{number}" for number in range(150)])

    assert await executor.deliver(attempt) == [Status.SENT]

    name = row(db, attempt.notification_id)["transaction_id"]
    sent = {id_.removeprefix(name) for id_, _ in novu_standin.deliveries()}
    assert sent == {"-1", "-2", "-push-1", "-push-2"}
    assert sum(novu_standin.deliveries().values()) == 300


async def test_what_was_apart_stays_apart_and_is_not_sent_twice(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """PUSH gets no answer, then the mail becomes short: the next try sends only PUSH, as before."""
    attempt = a_mail_and_a_push(db)
    novu_standin.fault("accept_then_reset", match={"transaction_id": "*-push"})
    assert await executor.deliver(attempt, last=True) == [Status.FAILED]
    db.execute("UPDATE notify.ent_notification_template SET body_template = 'm'")

    assert await executor.deliver(reclaim(db, attempt)) == [Status.SENT]

    name = row(db, attempt.notification_id)["transaction_id"]
    assert dict(novu_standin.deliveries()) == {(name, PERSON): 1, (f"{name}-push", PERSON): 1}
    assert novu_standin.stats()["calls"] == 3


async def test_push_that_was_apart_stays_so_if_its_workflow_loses_the_mail(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """Novu rejects the mail and accepts PUSH without an answer; under the mail's name, PUSH would arrive again."""
    attempt = a_mail_and_a_push(db)
    name = row(db, attempt.notification_id)["transaction_id"]
    novu_standin.fault("status", status=400, match={"transaction_id": name})
    novu_standin.fault("accept_then_reset", match={"transaction_id": f"{name}-push"})
    assert await executor.deliver(attempt, last=True) == [Status.FAILED]
    db.execute("UPDATE notify.ent_notification_workflow SET default_channels = '{PUSH}'")

    await executor.deliver(reclaim(db, attempt))

    assert dict(novu_standin.deliveries()) == {(f"{name}-push", PERSON): 1}


async def test_a_withdrawn_notification_is_cancelled_with_its_push(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """Novu may have accepted either; its workflow still delays both."""
    novu_standin.workflow("both", delayed=True)
    attempt = a_mail_and_a_push(db)
    novu_standin.fault("accept_then_reset", match={"transaction_id": "*-push"})
    with pytest.raises(Unfinished):
        await executor.deliver(attempt)
    db.execute("SELECT notify.retract(%s)", [attempt.notification_id])

    assert await executor.deliver(attempt) == [Status.RETRACTED]

    assert (novu_standin.stats()["cancelled"], novu_standin.deliver()) == (2, 0)


async def test_profiles_actor_context_and_exclusions_reach_novu(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """Novu makes the subscriber of a profile. A context needs the consent of the workflow."""
    columns: dict[str, Any] = {
        "recipients": ["topic:staff", PERSON],
        "actor": "editor-1",
        "context": {"project": "p-17"},
        "exclude": ["editor-1"],
        "subscribers": {PERSON: {"email": "a@example.org", "firstName": "Ann"}},
    }
    open_to_all = a_workflow(db, key="open", send_context=True)

    await executor.deliver(a_claimed(db, **columns), a_claimed(db, workflow=open_to_all, **columns))

    events = [trigger["event"] for trigger in novu_standin.ledger()["triggers"]]
    assert {event["actor"] for event in events} == {"editor-1"}
    assert [event.get("context") for event in events] == [None, {"project": "p-17"}]
    assert events[0]["to"] == [
        {"exclude": ["editor-1"], "topicKey": "staff", "type": "Topic"},
        {"subscriberId": PERSON, "email": "a@example.org", "firstName": "Ann"},
    ]
    headers = {"Authorization": "ApiKey any"}
    async with httpx.AsyncClient(base_url=novu_standin.url, headers=headers, timeout=WITHIN) as api:
        made = (await api.get(f"/v2/subscribers/{PERSON}")).json()["data"]
    assert (made["email"], made["firstName"]) == ("a@example.org", "Ann")
