"""The SQL functions for producers: enqueue and retract."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg.errors import CheckViolation, ForeignKeyViolation, UniqueViolation
from psycopg.types.json import Jsonb

from tests.support.rows import Db, a_notification, a_workflow, open_db, row, written
from tests.support.waiting import WITHIN, until_blocked
from xnovu_poller.lifecycle import Status


def enqueue(db: Db, *arguments: object, **named: object) -> int:
    """Call the function as a producer does."""
    places = [*["%s"] * len(arguments), *(f"{name} => %s" for name in named)]
    statement = f"SELECT notify.enqueue({', '.join(places)}) AS id"
    made = db.execute(statement.encode(), [*arguments, *named.values()]).fetchone()
    assert made is not None
    return int(made["id"])


def retract(db: Db, notification_id: int, *reason: str) -> str | None:
    """Call the function as a producer does."""
    statement = f"SELECT notify.retract(%s{', %s' * len(reason)}) AS status"
    found = db.execute(statement.encode(), [notification_id, *reason]).fetchone()
    assert found is not None
    status: str | None = found["status"]
    return status


def a_delivery(db: Db, notification_id: int, outcome: str | None) -> None:
    """Insert a chunk with this outcome."""
    db.execute(
        "INSERT INTO notify.ent_notification_delivery (notification_id, chunk, enterprise_id, recipients,"
        " transaction_id, outcome) VALUES (%s, 1, 'acme', '{s}', 'xn-1', %s)",
        [notification_id, outcome],
    )


def test_enqueue_needs_three_arguments(db: Db) -> None:
    """Enterprise, workflow and recipients; the rest has defaults."""
    workflow = a_workflow(db)

    made = enqueue(db, "acme", "order-shipped", ["subscriber-1", "topic:staff"])

    kept = row(db, made)
    assert (kept["enterprise_id"], kept["notification_workflow_id"]) == ("acme", workflow)
    assert (kept["name"], kept["recipients"]) == ("order-shipped", ["subscriber-1", "topic:staff"])
    assert (kept["payload"], kept["priority"], kept["publish_status"]) == ({}, 0, "PUBLISH")
    assert [kept[name] for name in ("channels", "overrides", "tags", "dedup_key", "scheduled_for")] == [
        None
    ] * 5
    assert kept["notification_status"] == "PENDING"


def test_enqueue_takes_every_option_by_name(db: Db) -> None:
    """Each argument is written to its column."""
    a_workflow(db)
    later, never = datetime(2100, 1, 1, tzinfo=UTC), datetime(2101, 1, 1, tzinfo=UTC)

    made = enqueue(
        db,
        enterprise_id="acme",
        workflow_key="order-shipped",
        recipients=["a"],
        payload=Jsonb({"order": 5}),
        name="Order 5",
        channels=["EMAIL", "PUSH"],
        overrides=Jsonb({"email": {}}),
        tags=["orders"],
        priority=9,
        dedup_key="order-5",
        scheduled_for=later,
        expires_at=never,
        locale="de_CH",
        time_zone="Europe/Zurich",
        actor=" editor-1 ",
        context=Jsonb({"project": "p-17"}),
        exclude=["editor-1 "],
        subscribers=Jsonb({"a": {"email": "a@example.org"}}),
    )

    kept = row(db, made)
    assert (kept["payload"], kept["name"], kept["channels"]) == ({"order": 5}, "Order 5", "{EMAIL,PUSH}")
    assert (kept["overrides"], kept["tags"], kept["priority"]) == ({"email": {}}, ["orders"], 9)
    assert (kept["dedup_key"], kept["scheduled_for"], kept["expires_at"]) == ("order-5", later, never)
    assert (kept["locale"], kept["time_zone"]) == ("de_CH", "Europe/Zurich")
    assert (kept["actor"], kept["exclude"], kept["context"]) == (
        "editor-1",
        ["editor-1"],
        {"project": "p-17"},
    )
    assert kept["subscribers"] == {"a": {"email": "a@example.org"}}


def test_an_enterprises_own_workflow_wins(db: Db) -> None:
    """For this enterprise it replaces the global workflow; another enterprise's workflow does not count."""
    everyones, own = a_workflow(db), a_workflow(db, enterprise="acme")
    a_workflow(db, enterprise="globex", key="private")

    made = [enqueue(db, name, "order-shipped", ["a"]) for name in ("acme", "globex")]

    assert [row(db, notification_id)["notification_workflow_id"] for notification_id in made] == [
        own,
        everyones,
    ]
    with pytest.raises(ForeignKeyViolation, match='enterprise "acme" has no workflow of this key'):
        enqueue(db, "acme", "private", ["a"])


def test_an_unpublished_workflow_is_no_error_of_enqueue(db: Db) -> None:
    """The notification ends DEAD with the reason."""
    a_workflow(db, publish_status="DRAFT")

    assert enqueue(db, "acme", "order-shipped", ["a"])


def test_a_refused_call_inserts_nothing(db: Db) -> None:
    """The rules of the table hold for the function too."""
    a_workflow(db)
    refused: tuple[dict[str, Any], ...] = ({"priority": 10}, {"recipients": []}, {"payload": Jsonb([])})
    for wrong in refused:
        with pytest.raises(CheckViolation):
            enqueue(
                db,
                **({"enterprise_id": "acme", "workflow_key": "order-shipped", "recipients": ["a"]} | wrong),
            )

    assert db.execute("SELECT FROM notify.ent_notification").rowcount == 0


def test_the_same_key_is_refused_for_the_same_enterprise(db: Db) -> None:
    """As long as the row exists, in any state; other enterprises have their own keys."""
    a_workflow(db)
    first = enqueue(db, "acme", "order-shipped", ["a"], dedup_key="order-5")
    retract(db, first)

    with pytest.raises(UniqueViolation, match="ent_notification_dedup"):
        enqueue(db, "acme", "order-shipped", ["a"], dedup_key="order-5")
    assert enqueue(db, "globex", "order-shipped", ["a"], dedup_key="order-5")
    assert enqueue(db, "acme", "order-shipped", ["a"]) != enqueue(db, "acme", "order-shipped", ["a"])


@pytest.mark.parametrize("status", [Status.PENDING, Status.FAILED, Status.PROCESSING])
def test_an_unsent_notification_is_retracted_at_once(db: Db, status: Status) -> None:
    """Without a live send or an unknown outcome nothing was accepted."""
    made = a_notification(db, status=status)

    assert retract(db, made, "order cancelled") == "RETRACTED"

    kept = row(db, made)
    assert (kept["retraction_reason"], kept["error_details"]) == ("order cancelled", None)
    assert kept["retracted_at"] is not None
    assert kept["lease_expires_at"] is None


@pytest.mark.parametrize("until", ["2100-01-01", "2020-01-01"])
def test_a_notification_being_sent_is_left_to_its_holder(db: Db, until: str) -> None:
    """Live or lapsed, it may be accepted: the request is recorded, and the holder keeps its right."""
    made = a_notification(db, status=Status.PROCESSING)
    written(db, made, send_until=until)
    before = row(db, made)

    assert retract(db, made) == "PROCESSING"

    kept = row(db, made)
    assert kept["retract_requested_at"] is not None
    assert (kept["retraction_reason"], kept["retracted_at"]) == ("retracted", None)
    for name in ("attempt", "send_until", "lease_expires_at"):
        assert kept[name] == before[name]


@pytest.mark.parametrize("status", [Status.PENDING, Status.FAILED, Status.PROCESSING])
def test_a_notification_with_an_unknown_outcome_is_left_to_the_executor(db: Db, status: Status) -> None:
    """Novu must be asked to cancel first; a FAILED row becomes due for that now."""
    made = a_notification(db, status=status)
    written(db, made, unknown_outcomes=1)
    if status is Status.FAILED:
        written(db, made, next_attempt_at="2100-01-01")

    assert retract(db, made) == status

    kept = row(db, made)
    assert kept["retract_requested_at"] is not None
    if status is Status.FAILED:
        assert kept["next_attempt_at"] < datetime(2100, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("outcome", "status"),
    [("accepted", "FAILED"), ("unknown", "FAILED"), ("refused", "RETRACTED"), (None, "RETRACTED")],
)
def test_a_notification_with_a_sent_chunk_is_left_to_the_executor(
    db: Db, outcome: str | None, status: str
) -> None:
    """Some of the recipients may have it already."""
    made = a_notification(db, status=Status.FAILED)
    a_delivery(db, made, outcome)

    assert retract(db, made) == status


def test_a_sent_notification_is_left_to_the_canceller(db: Db) -> None:
    """The state stays SENT; a worker finds the request."""
    made = a_notification(db, status=Status.SENT)

    assert retract(db, made, "order cancelled") == "SENT"

    kept = row(db, made)
    assert kept["retract_requested_at"] is not None
    assert (kept["retraction_reason"], kept["retracted_at"], kept["error_details"]) == (
        "order cancelled",
        None,
        None,
    )


@pytest.mark.parametrize("status", [Status.DEAD, Status.RETRACTED])
def test_a_final_notification_does_not_change(db: Db, status: Status) -> None:
    """The function returns the current state."""
    made = a_notification(db, status=status)
    before = row(db, made)

    assert retract(db, made) == status
    assert row(db, made) == before


def test_the_first_reason_stays(db: Db) -> None:
    """A repeat of the call is harmless."""
    made = a_notification(db, status=Status.PROCESSING)
    written(db, made, send_until="2100-01-01")
    retract(db, made, "first")
    asked_at = row(db, made)["retract_requested_at"]

    retract(db, made, "second")

    kept = row(db, made)
    assert (kept["retraction_reason"], kept["retract_requested_at"]) == ("first", asked_at)


def test_a_missing_notification_is_null(db: Db) -> None:
    """It is no error, because somebody may have deleted it."""
    assert retract(db, 4711) is None


async def test_a_retraction_that_waited_sees_a_chunk_accepted_meanwhile(db: Db, database: str) -> None:
    """The executor had a chunk accepted and released the rest, while the producer waited for the row."""
    made = a_notification(db, status=Status.PROCESSING)
    with ThreadPoolExecutor(1) as producer, psycopg.connect(database) as executor:
        executor.execute("SELECT FROM notify.ent_notification WHERE id = %s FOR UPDATE", [made])
        waiting = producer.submit(_retract_as, f"{database}?application_name=producer", made)
        await until_blocked(database, "producer")
        executor.execute(
            "INSERT INTO notify.ent_notification_delivery VALUES (%s, 1, 'acme', '{s}', 'xn', 0, 'accepted')",
            [made],
        )
        executor.execute(
            "UPDATE notify.ent_notification SET notification_status = 'PENDING', lease_expires_at = NULL WHERE id = %s",
            [made],
        )
        executor.commit()
        state = await asyncio.to_thread(waiting.result, WITHIN)

    assert state == "PENDING"
    assert row(db, made)["retract_requested_at"] is not None


def _retract_as(url: str, made: int) -> str | None:
    with open_db(url) as producer:
        return retract(producer, made)
