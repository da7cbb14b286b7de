"""`notify.enqueue` with the dedup key of a notification that is there already."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg.errors import SerializationFailure, UniqueViolation
from psycopg.types.json import Jsonb

from tests.support.rows import Db, a_workflow, open_db, row
from tests.support.waiting import WITHIN, until_blocked

ENQUEUE = """
    SELECT notify.enqueue('acme', %(key)s, %(recipients)s, %(payload)s, dedup_key => 'once', on_duplicate => %(mode)s)"""


def enqueue(db: psycopg.Connection[Any], mode: str = "return", **given: Any) -> int:  # noqa: ANN401 - any argument's
    """Enqueue the same notification, except for the given arguments."""
    values = {"key": "order-shipped", "recipients": ["a", "b"], "payload": Jsonb({"order": 42}), "mode": mode}
    found = db.execute(ENQUEUE.encode(), values | given).fetchone()
    assert found is not None
    return int(found["enqueue"] if isinstance(found, dict) else found[0])


def test_the_id_that_is_there_is_returned_in_the_same_transaction(db: Db, database: str) -> None:
    """The producer's other work in the transaction stays."""
    a_workflow(db)
    first = enqueue(db)
    with psycopg.connect(database) as producer:
        producer.execute("CREATE TABLE public.work (id int)")
        assert enqueue(producer, recipients=[" a", "b", "a"], payload=Jsonb({"order": 42.0})) == first

    assert db.execute("SELECT FROM public.work").rowcount == 0
    assert db.execute("SELECT FROM notify.ent_notification").rowcount == 1


def test_a_repeated_call_has_a_trace_of_its_own(db: Db) -> None:
    """The first trace stays."""
    a_workflow(db)
    first = enqueue(db, payload=Jsonb({"order": 42, "xnovu_trace": {"traceparent": "first"}}))

    assert enqueue(db, payload=Jsonb({"order": 42, "xnovu_trace": {"traceparent": "second"}})) == first
    assert enqueue(db) == first
    assert row(db, first)["payload"]["xnovu_trace"] == {"traceparent": "first"}


def test_the_default_is_an_error_that_names_the_notification(db: Db) -> None:
    """And the way to get its id instead."""
    a_workflow(db)
    first = enqueue(db)

    with pytest.raises(UniqueViolation, match=f"notification {first}, which has the same content") as raised:
        enqueue(db, "error")
    assert "on_duplicate => 'return'" in str(raised.value.diag.message_hint)


@pytest.mark.parametrize("mode", ["error", "return"])
@pytest.mark.parametrize(
    "other",
    [{"payload": Jsonb({"order": 43})}, {"recipients": ["a"]}, {"key": "order-cancelled"}],
    ids=["payload", "recipients", "workflow"],
)
def test_another_notification_under_the_same_key_is_an_error(
    db: Db, mode: str, other: dict[str, Any]
) -> None:
    """In both modes: otherwise it would never be sent, and nobody would know."""
    a_workflow(db)
    a_workflow(db, key="order-cancelled")
    enqueue(db)

    with pytest.raises(UniqueViolation, match="has another workflow, payload or other recipients"):
        enqueue(db, mode, **other)


def test_a_deleted_notification_leaves_its_key_free(db: Db) -> None:
    """Retention deletes rows."""
    a_workflow(db)
    first = enqueue(db)
    db.execute("DELETE FROM notify.ent_notification")

    assert enqueue(db) != first


def test_an_unknown_mode_is_refused(db: Db) -> None:
    """Before anything is inserted."""
    a_workflow(db)

    with pytest.raises(psycopg.errors.CheckViolation, match="on_duplicate is neither error nor return"):
        enqueue(db, "ignore")


@pytest.mark.parametrize("commits", [True, False])
async def test_two_transactions_at_once_make_one_notification(
    db: Db, database: str, *, commits: bool
) -> None:
    """The second waits for the first: it gets its id, or inserts if the first rolls back."""
    a_workflow(db)
    with ThreadPoolExecutor(1) as pool, psycopg.connect(database) as first:
        made = enqueue(first)
        second = pool.submit(_enqueue_as, f"{database}?application_name=second")
        await until_blocked(database, "second")
        first.commit() if commits else first.rollback()
        got = await asyncio.to_thread(second.result, WITHIN)

    assert (got == made) is commits
    assert db.execute("SELECT FROM notify.ent_notification").rowcount == 1


async def test_a_transaction_with_an_older_snapshot_is_asked_to_repeat(db: Db, database: str) -> None:
    """It cannot see the row, so PostgreSQL answers as to every such conflict."""
    a_workflow(db)
    with psycopg.connect(database) as older:
        older.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        older.execute("SELECT count(*) FROM notify.ent_notification")
        enqueue(db)
        with pytest.raises(SerializationFailure):
            enqueue(older)


def _enqueue_as(url: str) -> int:
    with open_db(url) as producer:
        return enqueue(producer)
