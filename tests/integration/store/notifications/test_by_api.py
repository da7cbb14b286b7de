"""What the API does with notifications of an enterprise, in the database."""

import json
from collections.abc import AsyncIterator

import pytest

from tests.support.rows import Db, a_notification, a_workflow, row, sqlalchemy_url
from xnovu_poller.lifecycle import Status
from xnovu_poller.store import session
from xnovu_poller.store.engine import Engine, Tenant, connect
from xnovu_poller.store.notifications import by_api
from xnovu_poller.store.notifications.by_api import Enqueued, Refused

ONE = {"workflow_key": "order-shipped", "recipients": ["user-1"]}


@pytest.fixture
async def pool(any_database: str) -> AsyncIterator[Engine]:
    """Yield the pool of the API, on each version."""
    engine = connect(sqlalchemy_url(any_database), part="api", kind=session.API)
    yield engine
    await engine.dispose()


async def test_all_of_a_list_are_inserted_or_none(two_enterprises: Db, pool: Engine) -> None:
    """Each number of a payload stays as it came, and a duplicate is the row that was there."""

    async def enqueue(*items: object, key: str | None = None) -> list[Enqueued] | Refused:
        return await by_api.enqueue_many(pool, "acme", json.dumps(items), key)

    exact = '[{"workflow_key": "order-shipped", "recipients": ["user-1"], "payload": {"sum": 1.10, "big": 123456789012345678901234567890}}]'
    made = await by_api.enqueue_many(pool, "acme", exact)
    assert isinstance(made, list)
    inserted = two_enterprises.execute(
        "SELECT payload::text, created_by FROM notify.ent_notification WHERE id = %s", [made[0].id]
    ).fetchone()
    assert inserted is not None
    assert inserted["payload"] == '{"big": 123456789012345678901234567890, "sum": 1.10}'

    many = [ONE | {"name": f"n{n}"} for n in range(1000)]
    listed = await enqueue(*many)
    assert isinstance(listed, list)
    names = two_enterprises.execute(
        "SELECT n.name FROM unnest(%s::bigint[]) WITH ORDINALITY AS made JOIN notify.ent_notification n ON n.id = made.made"
        " ORDER BY made.ordinality",
        [[each.id for each in listed]],
    )
    assert [found["name"] for found in names] == [item["name"] for item in many]

    keyed = [ONE | {"dedup_key": f"k{n}", "actor": " user-2 ", "tags": ["a"]} for n in range(2)]
    first = await enqueue(*keyed, keyed[0])
    assert isinstance(first, list)
    assert [each.is_new for each in first] == [True, True, False]
    assert first[2].id == first[0].id
    assert await enqueue(*keyed) == [Enqueued(each.id, is_new=False) for each in first[:2]]
    assert await enqueue({**keyed[0], "dedup_key": None}, key="k0") == [Enqueued(first[0].id, is_new=False)]


async def test_a_list_with_a_fault_inserts_nothing(two_enterprises: Db, pool: Engine) -> None:
    """The answer names its place and its rule."""

    async def enqueue(*items: object) -> list[Enqueued] | Refused:
        return await by_api.enqueue_many(pool, "acme", json.dumps(items))

    keyed = [ONE | {"dedup_key": "k0", "tags": ["a"]}]
    assert isinstance(await enqueue(*keyed), list)
    before = two_enterprises.execute("SELECT count(*) FROM notify.ent_notification").fetchone()
    for change in ({"tags": ["b"]}, {"payload": {"other": 1}}, {"priority": 3}, {"recipients": ["user-9"]}):
        refused = await enqueue(ONE, keyed[0] | change)
        assert isinstance(refused, Refused)
        assert (refused.place, refused.is_conflict, refused.rule) == (1, True, "ent_notification_dedup")
    unfit = {
        "workflow": ONE | {"workflow_key": "of-nobody"},
        "ent_notification_time_zone_check": ONE | {"time_zone": "Mars/Base"},
        "ent_notification_recipients_check": ONE | {"recipients": ["topic:"]},
        "ent_notification_subscribers_check": ONE | {"subscribers": {"user-1": {"email": "a@example.org"}}},
    }
    for rule, item in unfit.items():
        refused = await enqueue(ONE, ONE, item)
        assert isinstance(refused, Refused)
        assert (refused.place, refused.is_conflict) == (2, False)
        assert refused.rule == ("" if rule == "workflow" else rule)
    assert await enqueue(ONE | {"name": "\0"}) == Refused(
        None, "", "the JSON has a character or a number that PostgreSQL cannot store", ""
    )
    assert two_enterprises.execute("SELECT count(*) FROM notify.ent_notification").fetchone() == before


async def test_only_notifications_of_the_enterprise_are_retracted_and_revived(
    two_enterprises: Db, pool: Engine
) -> None:
    """Each action leaves a line in the audit with the key."""
    db = two_enterprises
    workflow = a_workflow(db, enterprise="acme", key="own")
    acme, globex = Tenant(pool, "acme"), Tenant(pool, "globex")
    pending, dead = (
        a_notification(db, workflow=workflow, status=status) for status in (Status.PENDING, Status.DEAD)
    )

    assert await by_api.retract(globex, pending, "theirs", "key b") is None
    assert await by_api.revive(globex, dead, "key b") is None
    assert await by_api.retract(acme, pending, "wrong", "key a") is Status.RETRACTED
    assert await by_api.retract(acme, pending, "again", "key a") is Status.RETRACTED
    assert await by_api.revive(acme, dead, "key a") == by_api.Revived(
        is_doubtful=False, status=Status.PENDING
    )
    assert await by_api.revive(acme, dead, "key a") == by_api.Revived(
        is_doubtful=False, status=Status.PENDING
    )
    assert await by_api.revive(acme, pending, "key a") == by_api.Revived(
        is_doubtful=False, status=Status.PENDING
    )
    assert row(db, pending)["retraction_reason"] is None

    old = a_notification(db, workflow=workflow, status=Status.PROCESSING)
    db.execute(
        "UPDATE notify.ent_notification SET unknown_outcomes = 1, send_until = NULL WHERE id = %s", [old]
    )
    db.execute(
        "UPDATE notify.ent_notification SET notification_status = 'DEAD', processed_at = now() - interval '26 days',"
        " lease_expires_at = NULL WHERE id = %s",
        [old],
    )
    assert await by_api.revive(acme, old, "key a") == by_api.Revived(is_doubtful=True, status=Status.DEAD)

    lines = db.execute(
        "SELECT action, actor, filters, changed FROM notify.ent_audit WHERE actor LIKE 'key%' ORDER BY id"
    ).fetchall()
    assert [(line["action"], line["actor"], line["filters"]["ids"], line["changed"]) for line in lines] == [
        ("retract", "key a", [pending], 1),
        ("retract", "key a", [pending], 0),
        ("revive", "key a", [dead], 1),
        ("revive", "key a", [pending], 1),
    ]
