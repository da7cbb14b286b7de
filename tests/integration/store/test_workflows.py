"""The workflows as their rows hold them."""

from tests.support.rows import Db, a_workflow, unguarded
from xnovu_poller.lifecycle import Channel, PublishStatus, WorkflowType
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.workflows import MOST_SCHEMA_BYTES, Workflow, read_workflows


async def test_a_workflow_is_read_completely(engine: Engine, db: Db) -> None:
    """Even if it must not be sent: the executor records the reason."""
    made = a_workflow(
        db,
        enterprise="acme",
        key="parcel",
        workflow_type="DYNAMIC",
        default_channels=["EMAIL", "SMS"],
        payload_schema={"type": "object"},
        template_overrides={"EMAIL": "letter"},
        publish_status="DRAFT",
        deactivated=True,
    )
    version = db.execute("SELECT updated_at FROM notify.ent_notification_workflow").fetchone()
    assert version is not None

    assert await read_workflows(engine, [made, 999]) == {
        made: Workflow(
            id=made,
            version=version["updated_at"],
            enterprise_id="acme",
            type=WorkflowType.DYNAMIC,
            key="parcel",
            name="parcel",
            channels=[Channel.EMAIL, Channel.SMS],
            schema='{"type": "object"}',
            schema_bytes=18,
            templates={"EMAIL": "letter"},
            send_context=False,
            publish_status=PublishStatus.DRAFT,
            deactivated=True,
        )
    }


async def test_a_change_of_a_workflow_is_a_new_version(engine: Engine, db: Db) -> None:
    """So a cache sees that its copy is old."""
    made = a_workflow(db)
    before = (await read_workflows(engine, [made]))[made]

    db.execute("UPDATE notify.ent_notification_workflow SET deactivated = true")

    after = (await read_workflows(engine, [made]))[made]
    assert before.version < after.version
    assert after.channels == [Channel.IN_APP]


async def test_a_key_that_is_not_a_text_names_no_template(engine: Engine, db: Db) -> None:
    """A tenant may write any value and any time."""
    made = a_workflow(
        db, template_overrides={"EMAIL": 5, "SMS": None, "PUSH": "short"}, updated_at="infinity"
    )

    assert (await read_workflows(engine, [made]))[made].templates == {"PUSH": "short"}


async def test_a_schema_or_templates_that_are_too_large_are_not_read(engine: Engine, db: Db) -> None:
    """Their size would be in the worker's memory before anything could refuse it."""
    large = {"title": "x" * MOST_SCHEMA_BYTES}
    with unguarded(db):
        made = a_workflow(db, payload_schema=large, template_overrides=large)

    found = (await read_workflows(engine, [made]))[made]

    assert (found.schema, found.templates) == (None, {})
    assert found.schema_bytes > MOST_SCHEMA_BYTES
