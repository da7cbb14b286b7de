"""Questions without effect."""

from datetime import timedelta
from typing import Any

import pytest

from tests.support.rows import (
    Db,
    a_notification,
    a_template,
    a_workflow,
    back_dated,
    notifications,
    row,
    written,
)
from xnovu_poller.lifecycle import Attempt, Channel, PublishStatus, Status, WorkflowType
from xnovu_poller.store import reads
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.reads import Lapsed, Template, TemplateKey, Workflow

HOUR = timedelta(hours=1)


async def ahead(engine: Engine) -> timedelta:
    """Say how far the next row to come due is."""
    found = await reads.time_to_next_due(engine)
    assert found is not None
    return found


async def test_a_workflow_is_read_whole(engine: Engine, db: Db) -> None:
    """Also one that may not be sent: the executor says why."""
    schema = {"type": "object"}
    made = a_workflow(
        db,
        enterprise="acme",
        key="parcel",
        workflow_type="DYNAMIC",
        default_channels=["EMAIL", "SMS"],
        payload_schema=schema,
        template_overrides={"EMAIL": "letter"},
        publish_status="DRAFT",
        deactivated=True,
    )
    version = db.execute("SELECT updated_at FROM notify.ent_notification_workflow").fetchone()
    assert version is not None

    assert await reads.workflows(engine, [made, 999]) == {
        made: Workflow(
            id=made,
            version=version["updated_at"],
            enterprise_id="acme",
            type=WorkflowType.DYNAMIC,
            key="parcel",
            channels=[Channel.EMAIL, Channel.SMS],
            schema=schema,
            templates={"EMAIL": "letter"},
            publish_status=PublishStatus.DRAFT,
            deactivated=True,
        )
    }


async def test_a_change_of_a_workflow_is_a_new_version(engine: Engine, db: Db) -> None:
    """Whoever keeps a copy sees that it is old."""
    made = a_workflow(db)
    before = (await reads.workflows(engine, [made]))[made]

    db.execute("UPDATE notify.ent_notification_workflow SET deactivated = true")

    after = (await reads.workflows(engine, [made]))[made]
    assert before.version < after.version
    assert after.channels == [Channel.IN_APP]


async def test_an_enterprises_own_template_wins(engine: Engine, db: Db) -> None:
    """Over the global one, for it alone."""
    everyones = a_template(db, subject_template="Hi", variables_description={"name": "you"})
    own = a_template(db, enterprise="acme", body_template="Own")
    wishes: list[TemplateKey] = [("acme", "parcel", Channel.EMAIL), ("globex", "parcel", Channel.EMAIL)]

    found = await reads.templates(engine, [*wishes, *wishes])

    assert {wish: one.id for wish, one in found.items()} == {wishes[0]: own, wishes[1]: everyones}
    one = found[wishes[1]]
    assert one == Template(everyones, one.version, Channel.EMAIL, "Hi", "Hello", {"name": "you"})


@pytest.mark.parametrize(("publish_status", "deactivated"), [("DRAFT", False), ("PUBLISH", True)])
async def test_an_unpublished_template_hides_no_other(
    engine: Engine, db: Db, publish_status: str, *, deactivated: bool
) -> None:
    """The enterprise's draft does not take the global words away."""
    everyones = a_template(db)
    a_template(db, enterprise="acme", publish_status=publish_status, deactivated=deactivated)
    wish: TemplateKey = ("acme", "parcel", Channel.EMAIL)

    assert (await reads.templates(engine, [wish]))[wish].id == everyones


async def test_what_there_is_no_template_for_is_left_out(engine: Engine, db: Db) -> None:
    """Another channel, another key, another enterprise's."""
    a_template(db, enterprise="globex")
    wishes: list[TemplateKey] = [
        ("acme", "parcel", Channel.EMAIL),
        ("globex", "parcel", Channel.SMS),
        ("globex", "letter", Channel.EMAIL),
    ]

    assert await reads.templates(engine, wishes) == {}
    assert await reads.templates(engine, []) == {}


async def test_the_longest_lapsed_comes_first(engine: Engine, db: Db) -> None:
    """With whom to ask, and whether a send was begun."""
    idle, sending, running = (a_notification(db, status=Status.PROCESSING) for _ in range(3))
    back_dated(db, idle, HOUR)
    back_dated(db, sending, 2 * HOUR, "lease_expires_at", "send_until")

    assert await reads.read_lapsed(engine, 10) == [
        Lapsed(Attempt(sending, 1), f"test-notification-{sending}-1", sending=True),
        Lapsed(Attempt(idle, 1), f"test-notification-{idle}-1", sending=False),
    ]
    assert [one.attempt for one in await reads.read_lapsed(engine, 1)] == [Attempt(sending, 1)]
    assert row(db, running)["attempt"] == 1


async def test_a_live_send_has_not_lapsed(engine: Engine, db: Db) -> None:
    """Whoever sends may still record it."""
    made = a_notification(db, status=Status.PROCESSING)
    back_dated(db, made)
    written(db, made, send_until="2100-01-01T00:00Z")

    assert await reads.read_lapsed(engine, 10) == []


async def test_the_backlog_counts_what_is_due(engine: Engine, db: Db) -> None:
    """Each loop's rows, and what is in flight; nothing that waits for its time."""
    notifications(db, 3)
    a_notification(db, scheduled_for="2020-01-01T00:00Z")
    a_notification(db, scheduled_for="2100-01-01T00:00Z")
    a_notification(db, deactivated=True)
    for _ in range(2):
        a_notification(db, status=Status.FAILED)
    for status in (Status.PROCESSING, Status.SENT, Status.DEAD, Status.RETRACTED):
        a_notification(db, status=status)

    assert await reads.backlog(engine) == {"in_flight": 1, "new": 3, "scheduled": 1, "failed": 2}


async def test_the_next_row_to_come_due_is_known(engine: Engine, db: Db) -> None:
    """Of all enterprises, whatever its priority; what is due already, is not meant or ends never is none."""
    for columns in (
        {"scheduled_for": "2020-01-01T00:00Z"},
        {"scheduled_for": "2100-01-01T00:00Z", "deactivated": True},
        {"scheduled_for": "2100-01-01T00:00Z", "publish_status": "DRAFT"},
        {"scheduled_for": "2100-01-01T00:00Z", "status": Status.RETRACTED},
        {"scheduled_for": "infinity"},
        {"scheduled_for": "-infinity"},
        {},
    ):
        a_notification(db, **dict[str, Any](columns))
    assert await reads.time_to_next_due(engine) is None

    far, near = (
        a_notification(db, enterprise=enterprise, priority=priority, scheduled_for="290000-01-01T00:00Z")
        for enterprise, priority in (("a", 9), ("z", 0))
    )
    assert await ahead(engine) > timedelta(days=365 * 280_000)
    for made, later in ((far, "2 h"), (near, "1 h")):
        db.execute(
            "UPDATE notify.ent_notification SET scheduled_for = now() + %s::interval WHERE id = %s",
            [later, made],
        )
    assert HOUR - timedelta(minutes=1) < await ahead(engine) <= HOUR
    written(db, near, scheduled_for=None)
    assert await ahead(engine) > HOUR


async def test_a_count_stops_in_time(engine: Engine, db: Db) -> None:
    """`/status` is cheap whatever the backlog."""
    notifications(db, reads.COUNTED_AT_MOST + 1)

    assert (await reads.backlog(engine))["new"] == reads.COUNTED_AT_MOST


async def test_what_a_tenant_miswrites_is_its_own_affair(engine: Engine, db: Db) -> None:
    """A key that is no text names no template; odd times are not taken over."""
    made = a_workflow(
        db, template_overrides={"EMAIL": 5, "SMS": None, "PUSH": "short"}, updated_at="infinity"
    )
    a_template(db, enterprise="acme", updated_at="20000-01-01")

    assert (await reads.workflows(engine, [made]))[made].templates == {"PUSH": "short"}
    assert len(await reads.templates(engine, [("acme", "parcel", Channel.EMAIL)])) == 1


async def test_a_server_that_only_reads_is_known(engine: Engine, db: Db) -> None:
    """It answers every question, and no notification goes on."""
    assert not await reads.is_read_only(engine)

    db.execute(f"ALTER DATABASE {db.info.dbname} SET default_transaction_read_only = on".encode())
    await engine.dispose()

    assert await reads.is_read_only(engine)
