"""The workflows as their rows hold them."""

from tests.support.rows import Db, a_workflow
from xnovu_poller.lifecycle import Channel, PublishStatus, WorkflowType
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.workflows import Workflow, read_workflows


async def test_a_workflow_is_read_completely(engine: Engine, db: Db) -> None:
    """Even if it must not be sent: the executor records the reason."""
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

    assert await read_workflows(engine, [made, 999]) == {
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
