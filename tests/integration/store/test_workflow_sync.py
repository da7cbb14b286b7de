"""What the rows of all enterprises need in Novu."""

from tests.support.rows import Db
from tests.support.syncing import a_dynamic
from xnovu_poller.lifecycle import Channel, WorkflowType
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.workflow_sync import Kind, Record, read_kinds, read_records, record

SCHEMA = {"type": "object"}


async def test_the_rows_of_a_key_are_one_kind(engine: Engine, db: Db) -> None:
    """Its channels are those of all rows; a schema counts only if all rows have it."""
    a_dynamic(db, "agree", "SMS", enterprise="acme", payload_schema=SCHEMA)
    a_dynamic(db, "agree", "EMAIL", "IN_APP", enterprise="globex", payload_schema=SCHEMA, name="secret")
    a_dynamic(db, "differ", enterprise="acme")
    a_dynamic(db, "differ", payload_schema=SCHEMA, name="Global")
    a_dynamic(db, "none", enterprise="acme")
    db.execute(
        "UPDATE notify.ent_notification_workflow SET default_channels = '{}', payload_schema = '{\"a\": 1e5000}'"
        " WHERE workflow_key = 'none'"
    )

    in_app, email, sms = Channel.IN_APP, Channel.EMAIL, Channel.SMS
    assert await read_kinds(engine) == [
        Kind("agree", WorkflowType.DYNAMIC, 2, None, (in_app, email, sms), SCHEMA),
        Kind("differ", WorkflowType.DYNAMIC, 2, "Global", (email,), None),
        Kind("none", WorkflowType.DYNAMIC, 1, None, (), None),
    ]


async def test_a_record_replaces_the_last(engine: Engine, db: Db) -> None:
    """The time is the database's."""
    await record(engine, "welcome", Record("welcome", {"a": 1}, {"a": None}))
    await record(engine, "welcome", Record("welcome-2", {"a": [1.5]}, {}))

    found = (await read_records(engine))["welcome"]
    assert (found.identifier, found.written, found.answered) == ("welcome-2", {"a": [1.5]}, {})
    assert found.written_at is not None
