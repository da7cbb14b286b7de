"""The facts of a notification for a line of the log."""

from tests.support.rows import Db, a_notification, a_workflow, row
from xnovu_poller.lifecycle import Status
from xnovu_poller.store.engine import Engine, connect
from xnovu_poller.store.notifications.facts import read_facts


async def test_every_field_is_there(engine: Engine, db: Db) -> None:
    """A row that is gone has only its id."""
    made = a_notification(db, status=Status.PROCESSING, workflow=a_workflow(db))
    kept = row(db, made)

    assert await read_facts(engine, []) == {}
    assert await read_facts(engine, [made, made + 1]) == {
        made: {
            "notification": made,
            "attempt": kept["attempt"],
            "enterprise": "acme",
            "workflow_key": "order-shipped",
            "workflow_id": kept["temporal_workflow_id"],
            "transaction_id": kept["transaction_id"],
        },
        made + 1: {"notification": made + 1},
    }


async def test_a_database_that_is_away_leaves_the_id() -> None:
    """The line is written all the same."""
    nowhere = connect("postgresql+psycopg://u@127.0.0.1:1/d", part="worker")

    assert await read_facts(nowhere, [7]) == {7: {"notification": 7}}
