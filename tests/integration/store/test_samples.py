"""The notifications of late with which a template is tried."""

from datetime import UTC, datetime

from tests.support.rows import Db, a_notification, a_workflow
from xnovu_poller.lifecycle import Channel, Status
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.samples import MOST_PAYLOAD_BYTES, read_samples

EMAIL = Channel.EMAIL


async def test_the_newest_notifications_of_a_template_are_read(engine: Engine, db: Db) -> None:
    """Of its channel and enterprise, in any state, the newest first."""
    keys = {"EMAIL": "mail", "SMS": "short"}
    workflow = a_workflow(db, key="order", template_overrides=keys, default_channels=["EMAIL", "SMS"])
    other = a_workflow(db, key="other", default_channels=["EMAIL"], template_overrides={"EMAIL": "layout"})
    first = a_notification(
        db,
        workflow=workflow,
        status=Status.SENT,
        payload={"total": 1},
        locale="de",
        time_zone="Europe/Zurich",
        scheduled_for=datetime(2020, 1, 1, tzinfo=UTC),
    )
    a_notification(db, workflow=workflow, channels=["SMS"])
    a_notification(db, workflow=a_workflow(db, key="static"))
    large = a_notification(db, workflow=other, payload={"text": "x" * MOST_PAYLOAD_BYTES})
    theirs = a_notification(db, workflow=workflow, enterprise="globex")

    found = await read_samples(engine, ["mail", "layout"], EMAIL, None, 10)

    assert [sample.id for sample in found] == [theirs, large, first]
    assert [sample.template_key for sample in found] == ["mail", "layout", "mail"]
    assert [sample.payload for sample in found] == ["{}", None, '{"total": 1}']
    assert (found[2].workflow_key, found[2].locale, found[2].time_zone) == ("order", "de", "Europe/Zurich")
    assert found[2].due_at >= datetime(2026, 1, 1, tzinfo=UTC)
    assert [sample.id for sample in await read_samples(engine, ["mail"], EMAIL, "acme", 10)] == [first]
    assert [sample.id for sample in await read_samples(engine, ["mail"], EMAIL, None, 1)] == [theirs]
