"""The trigger `wake` on each version: a due row notifies, unless another has just done so."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import psycopg
import pytest

from tests.support.listening import count_heard, listening
from tests.support.logins import a_login, speak_for, without_login
from tests.support.rows import Db, a_notification, a_workflow, notifications, open_db, written
from tests.support.waiting import eventually, wait_until
from xnovu_poller.lifecycle import Status
from xnovu_poller.loops.wakeup import WakeupListener
from xnovu_poller.store.listen import HEARD, LISTENS, Listener

INSERT = "INSERT INTO notify.ent_notification (enterprise_id, name, recipients) VALUES ('acme', 'a', '{s}')"
QUIET = "SELECT setval('notify.last_wakeup_ms', 0)"
JUST_HEARD = "PERFORM setval('notify.last_heard_ms', (extract(epoch FROM clock_timestamp()) * 1000)::bigint)"

NOT_DUE: list[dict[str, Any]] = [
    {"scheduled_for": "2100-01-01"},
    {"publish_status": "DRAFT"},
    {"deactivated": True},
]


@pytest.fixture
def db(any_database: str) -> Iterator[Db]:
    """The superuser's connection."""
    with open_db(any_database) as connection:
        yield connection


@pytest.fixture
def listener(any_database: str) -> Iterator[Db]:
    """Listen as the worker does."""
    with listening(any_database, "xnovu_due") as connection:
        yield connection


def heard(listener: Db, db: Db) -> int:
    """Count the notifications so far, and let the next wake-up through at once."""
    count = count_heard(listener, db, "xnovu_due")
    db.execute(QUIET)
    return count


def insert_right_after(db: Db, event: str) -> None:
    """Commit a due row immediately after something else has happened."""
    db.execute(f"DO $$ BEGIN {INSERT}; {event}; END $$".encode())


def test_a_due_insert_wakes(db: Db, listener: Db) -> None:
    """Once for each transaction, with any number of rows."""
    a_notification(db)
    assert heard(listener, db) == 1
    a_notification(db, scheduled_for="2020-01-01")
    assert heard(listener, db) == 1
    with db.transaction():
        notifications(db, 50)
        notifications(db, 50)
    assert heard(listener, db) == 1


def test_copied_rows_wake(db: Db, listener: Db) -> None:
    """COPY is an insert like any other."""
    with db.cursor().copy(
        "COPY notify.ent_notification (enterprise_id, name, recipients) FROM STDIN"
    ) as copy:
        copy.write_row(("acme", "a", ["s"]))

    assert heard(listener, db) == 1


def test_a_row_due_within_two_minutes_notifies(db: Db, listener: Db) -> None:
    """The worker looks for the next due time once a minute, so it finds later rows in time."""
    made = a_notification(db, scheduled_for="2100-01-01")
    for ahead, wakes in (("1 min", 1), ("3 min", 0)):
        db.execute(
            "INSERT INTO notify.ent_notification (enterprise_id, name, recipients, scheduled_for)"
            " VALUES ('acme', 'a', '{s}', now() + %s::interval)",
            [ahead],
        )
        assert heard(listener, db) == wakes
        db.execute(
            "UPDATE notify.ent_notification SET scheduled_for = now() + %s::interval WHERE id = %s",
            [ahead, made],
        )
        assert heard(listener, db) == wakes


@pytest.mark.parametrize("columns", NOT_DUE)
def test_an_insert_that_is_not_due_wakes_nobody(db: Db, listener: Db, columns: dict[str, Any]) -> None:
    """There is nothing to claim."""
    a_notification(db, **columns)

    assert heard(listener, db) == 0


def test_a_statement_with_a_single_due_row_wakes(db: Db, listener: Db) -> None:
    """The row may stand anywhere in the statement."""
    db.execute(
        "INSERT INTO notify.ent_notification (enterprise_id, name, recipients, scheduled_for)"
        " VALUES ('acme', 'a', '{s}', '2100-01-01'), ('acme', 'b', '{s}', NULL), ('acme', 'c', '{s}', '2100-01-01')"
    )

    assert heard(listener, db) == 1


@pytest.mark.parametrize("columns", NOT_DUE)
def test_a_row_that_becomes_due_by_an_update_wakes(db: Db, listener: Db, columns: dict[str, Any]) -> None:
    """It was published, activated, or its scheduled time was removed."""
    made = a_notification(db, **columns)

    written(db, made, scheduled_for=None, publish_status="PUBLISH", deactivated=False)

    assert heard(listener, db) == 1


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.PENDING])
def test_no_change_of_a_state_wakes(db: Db, listener: Db, status: Status) -> None:
    """Otherwise our own claims would wake us."""
    made = a_notification(db)
    assert heard(listener, db) == 1

    db.execute("DELETE FROM notify.ent_notification WHERE id = %s", [made])
    made = a_notification(db, status=status, publish_status="DRAFT")
    written(db, made, publish_status="PUBLISH")

    assert heard(listener, db) == 0


@pytest.mark.parametrize("event", [JUST_HEARD, "PERFORM notify.wake_workers()"])
def test_a_writer_right_after_a_wake_up_does_not_notify(db: Db, listener: Db, event: str) -> None:
    """A commit that notifies delays all others that do. Until a worker listens, the sender's own word counts."""

    def silent() -> bool:
        # If the machine pauses just then, it takes longer than twenty milliseconds.
        insert_right_after(db, event)
        return heard(listener, db) == ("wake_workers" in event)

    wait_until(silent)


@pytest.mark.parametrize(("heard_ms", "wakes"), [(40, 0), (500, 1)])
def test_a_sender_counts_while_turns_follow_what_a_worker_has_heard(
    db: Db, listener: Db, heard_ms: int, wakes: int
) -> None:
    """Before the worker hears the next wake-up, others commit, and its turns will find their rows."""
    mark = "PERFORM setval('notify.{}', (extract(epoch FROM clock_timestamp()) * 1000)::bigint - {})"
    marks = f"{mark.format('last_heard_ms', heard_ms)}; {mark.format('last_wakeup_ms', 0)}"

    def is_as_expected() -> bool:
        # If the machine pauses just then, the marks are too old.
        insert_right_after(db, marks)
        return heard(listener, db) == wakes

    wait_until(is_as_expected)


def test_a_wake_up_that_is_rolled_back_silences_nobody(
    db: Db, listener: Db, producer: Db, any_database: str
) -> None:
    """While a worker listens, only what it has heard counts: not what a sender writes before its commit."""
    db.execute(LISTENS)
    speak_for(producer, "acme")
    with psycopg.connect(any_database) as honest:
        honest.execute(INSERT)
        for _ in range(3):
            with suppress(psycopg.errors.DivisionByZero), producer.transaction():
                producer.execute(INSERT)
                producer.execute("SET CONSTRAINTS ALL IMMEDIATE")
                producer.execute("SELECT notify.wake_workers()")
                producer.execute("SELECT 1 / 0")
        # The mark of a sender is as fresh as can be when the honest row is committed.
        honest.execute(
            "SELECT setval('notify.last_wakeup_ms', (extract(epoch FROM clock_timestamp()) * 1000)::bigint)"
        )
        honest.commit()

    assert heard(listener, db) == 1


@pytest.mark.parametrize("sequence", ["last_heard_ms", "last_wakeup_ms"])
def test_a_clock_set_back_silences_nobody(db: Db, listener: Db, sequence: str) -> None:
    """A last wake-up in the future does not count."""
    db.execute("SELECT setval(%s, 1 << 60)", [f"notify.{sequence}"])
    db.execute(INSERT)

    assert heard(listener, db) == 1
    a_notification(db)
    assert heard(listener, db) == 1


def test_a_transaction_that_stays_open_silences_nobody(db: Db, listener: Db, any_database: str) -> None:
    """It decides at its commit, like the others, and then wakes by itself."""
    with psycopg.connect(any_database) as producer:
        producer.execute(INSERT)
        a_notification(db)
        assert heard(listener, db) == 1

        producer.commit()
        assert heard(listener, db) == 1


def test_a_rollback_wakes_nobody_and_silences_nobody(db: Db, listener: Db, any_database: str) -> None:
    """It leaves no trace."""
    before = db.execute("SELECT last_value FROM notify.last_wakeup_ms").fetchone()
    with psycopg.connect(any_database) as producer:
        producer.execute(INSERT)
        producer.rollback()

    assert db.execute("SELECT last_value FROM notify.last_wakeup_ms").fetchone() == before
    assert heard(listener, db) == 0


def test_a_producer_wakes_and_cannot_silence(db: Db, listener: Db, producer: Db) -> None:
    """It inserts as usual, but cannot write the trigger's sequences."""
    speak_for(producer, "acme")

    producer.execute(INSERT)

    assert heard(listener, db) == 1
    for statement in (QUIET, HEARD, "SELECT nextval('notify.last_heard_ms')"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            producer.execute(statement if isinstance(statement, bytes) else statement.encode())


def test_a_tenants_enqueue_wakes(db: Db, listener: Db, tenant: Db) -> None:
    """At its commit, the trigger runs with the tenant's rights, or from PostgreSQL 18 on with the owner's."""
    a_workflow(db)
    for alive in (False, True):
        if alive:
            db.execute(LISTENS)
        tenant.execute("SELECT notify.enqueue('acme', 'order-shipped', '{s}')")
        assert heard(listener, db) == 1


def test_a_producers_search_path_has_no_effect(db: Db, listener: Db, producer: Db) -> None:
    """Code with the owner's rights calls no function of another schema."""
    db.execute("CREATE SCHEMA trap")
    db.execute("CREATE FUNCTION trap.pg_notify(text, text) RETURNS void LANGUAGE sql AS 'SELECT 1 / 0'")
    db.execute("GRANT USAGE ON SCHEMA trap TO PUBLIC")
    speak_for(producer, "acme")
    producer.execute("SET search_path = trap, pg_catalog")

    producer.execute(INSERT)

    assert heard(listener, db) == 1


def test_code_at_the_commit_ignores_the_sessions_search_path(db: Db, listener: Db, producer: Db) -> None:
    """From PostgreSQL 18 on it has the rights of the function that inserted."""
    db.execute("CREATE SCHEMA trap")
    db.execute(
        "CREATE FUNCTION trap.has_schema_privilege(text, text) RETURNS bool LANGUAGE sql AS 'SELECT 1 / 0 > 0'"
    )
    db.execute("GRANT USAGE ON SCHEMA trap TO PUBLIC")
    speak_for(producer, "acme")
    producer.execute("SET search_path = trap, pg_catalog")

    producer.execute(INSERT)

    assert heard(listener, db) == 1


def test_a_producer_without_the_schema_wakes_too(db: Db, listener: Db, any_database: str) -> None:
    """A function with another login's rights may insert for a login without rights here: its commit must not fail."""
    db.execute(
        f"CREATE FUNCTION insert_one() RETURNS void SECURITY DEFINER LANGUAGE sql AS $$ {INSERT} $$".encode()
    )
    login = a_login(any_database)
    with open_db(login) as producer:
        producer.execute("SELECT insert_one()")
        assert heard(listener, db) == 1
    without_login(any_database, login)


async def test_a_silent_row_is_seen_by_the_turns_after_a_wake_up(db: Db, any_database: str) -> None:
    """The wake-up before it has started the loops, and their next turn sees both rows."""
    found_ids: set[int] = set()

    async def turn() -> None:
        found = db.execute("SELECT id FROM notify.ent_notification").fetchall()
        found_ids.update(row["id"] for row in found)

    wakeup = WakeupListener(Listener(any_database), turn)
    listening = asyncio.create_task(wakeup.run())
    await eventually(lambda: wakeup.is_listening)
    with open_db(any_database) as producer:
        for _ in range(200):
            await asyncio.to_thread(producer.execute, INSERT.encode())
    await eventually(lambda: len(found_ids) == 200)
    listening.cancel()
    with suppress(asyncio.CancelledError):
        await listening
