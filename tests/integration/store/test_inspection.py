"""The questions of `xnovu inspect`, asked with the rights of a worker's login."""

import asyncio
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import text

from tests.support.logins import a_login, without_login
from tests.support.postgres import as_worker, migrated_copy, quick_server
from tests.support.rows import Db, a_notification, a_workflow, back_dated, engine_on, open_db
from tests.support.waiting import until_blocked
from xnovu_poller.errors import StoreUnavailable
from xnovu_poller.lifecycle import Status
from xnovu_poller.store import inspection
from xnovu_poller.store.engine import Engine


async def test_the_backlog_is_shown_by_loop_and_state(any_engine: Engine, any_database: str) -> None:
    """On each version; paused rows, rows that are not due yet, and times that never come are counted apart."""
    with open_db(any_database) as db:
        made = [a_notification(db) for _ in range(3)]
        with db.transaction():
            db.execute("SET LOCAL session_replication_role = replica")
            back_dated(db, made[0], timedelta(hours=1), "created_at")
        a_notification(db, scheduled_for="2100-01-01T00:00Z")
        a_notification(db, scheduled_for="infinity")
        a_notification(db, status=Status.FAILED)
        for late in [a_notification(db, status=Status.PROCESSING) for _ in range(2)][:1]:
            back_dated(db, late)
        a_notification(db, publish_status="DRAFT")
        a_notification(db, enterprise="globex")
        a_notification(db, enterprise="globex", scheduled_for="2100-01-01T00:00Z")
        a_notification(db, workflow=a_workflow(db, key="order-paid"))
        db.execute("""INSERT INTO notify.pause (enterprise_id, workflow_key, reason, ends_at) VALUES
            ('globex', NULL, 'a test', NULL), (NULL, 'order-paid', 'a test', NULL), (NULL, NULL, 'over', '2020-01-01')""")

    rows = await inspection.read_backlog(any_engine)

    assert [(row["loop"], row["status"], row["due"], row["paused"], row["later"]) for row in rows] == [
        ("new", "PENDING", 3, 2, 0),
        ("scheduled", "PENDING", 0, 0, 3),
        ("failed", "FAILED", 1, 0, 0),
        ("in flight", "PROCESSING", 1, 0, 1),
    ]
    assert 3600 <= rows[0]["oldest_due_seconds"] < 4000
    assert rows[1]["next_due_at"] == "2100-01-01 00:00:00+00"


async def test_tenants_are_shown_with_their_share_and_limits(engine: Engine, db: Db) -> None:
    """Those with most due rows first; what ended long ago does not count."""
    for _ in range(2):
        a_notification(db, enterprise="globex")
    for status in (Status.SENT, Status.SENT, Status.SENT, Status.DEAD, Status.PROCESSING):
        a_notification(db, status=status)
    a_notification(db, enterprise="globex", status=Status.SENT)
    a_notification(db, enterprise="hooli")
    db.execute("INSERT INTO notify.pause (enterprise_id, reason) VALUES ('hooli', 'a test')")
    old = a_notification(db, enterprise="initech", status=Status.SENT)
    db.execute(
        "UPDATE notify.ent_notification SET processed_at = now() - interval '2 h' WHERE id = %s", [old]
    )
    db.execute("INSERT INTO notify.ent_enterprise_limit (enterprise_id, rate) VALUES ('acme', 5)")

    globex, hooli, acme = await inspection.read_tenants(engine)

    assert (globex["enterprise_id"], globex["due"], globex["share_percent"], globex["rate_limit"]) == (
        "globex",
        2,
        25,
        None,
    )
    assert {name: acme[name] for name in ("due", "in_flight", "sent_last_hour", "dead_last_hour")} == {
        "due": 0,
        "in_flight": 1,
        "sent_last_hour": 3,
        "dead_last_hour": 1,
    }
    assert (acme["share_percent"], acme["rate_limit"]) == (75, 5.0)
    assert (hooli["due"], hooli["paused"], hooli["oldest_due_seconds"]) == (0, 1, None)


async def test_a_session_that_waits_is_shown_with_its_blocker(db: Db, database: str) -> None:
    """A worker's login sees both, and the state of its own sessions."""
    made = a_notification(db)
    login = as_worker(database)
    async with engine_on(login) as engine:
        with psycopg.connect(login, application_name="holder") as holder:
            holder.execute("SET ROLE xnovu_worker")
            holder.execute("SELECT FROM notify.ent_notification WHERE id = %s FOR UPDATE", [made])
            waiting = asyncio.ensure_future(asyncio.to_thread(delete, database, made))
            await until_blocked(database, "waiter")

            (row,) = await inspection.read_locks(engine)

            assert (row["waiting_application"], row["holding_application"]) == ("waiter", "holder")
            assert (row["table"], row["holding_pid"]) == ("ent_notification", holder.info.backend_pid)
            assert row["holding_state"] == "idle in transaction"
            holder.rollback()
        await waiting
        assert await inspection.read_locks(engine) == []


def delete(database: str, notification_id: int) -> None:
    """Delete a row, as soon as nobody has locked it."""
    with psycopg.connect(database, application_name="waiter") as waiter:
        waiter.execute("DELETE FROM notify.ent_notification WHERE id = %s", [notification_id])


async def test_a_statement_that_runs_now_is_shown_without_its_text(db: Db, database: str) -> None:
    """Its text may contain a payload; a login sees its own sessions."""
    login = a_login(database, "xnovu_worker")
    async with engine_on(login) as engine:
        with psycopg.connect(login, application_name="report") as other:
            other.execute("SELECT 'secret'")

            (row,) = await inspection.read_slow(engine)
            pid = other.info.backend_pid

    assert (row["pid"], row["application"], row["state"]) == (pid, "report", "idle in transaction")
    assert "secret" not in str(row)
    without_login(database, login)


async def test_our_slowest_statements_are_shown_if_they_are_recorded() -> None:
    """By an extension that the worker may use; it replaces the values. Other statements and commands are left out."""
    with quick_server(shared_preload_libraries="pg_stat_statements") as server, migrated_copy(server) as url:
        async with engine_on(as_worker(url)) as engine:
            with open_db(url) as db:
                db.execute('CREATE SCHEMA "odd name"; CREATE EXTENSION pg_stat_statements SCHEMA "odd name"')
                await inspection.read_backlog(engine)
                assert await inspection.read_slow(engine) == []
                db.execute('GRANT USAGE ON SCHEMA "odd name" TO xnovu_worker')
            rows = await inspection.read_slow(engine)

    assert any(row["query"].startswith("WITH counted AS") for row in rows)
    assert all("notify." in row["query"] and row["calls"] > 0 for row in rows)


async def test_a_question_cannot_write_and_ends_in_time(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error is a sentence, and the connection works afterwards."""
    with pytest.raises(StoreUnavailable, match="cannot execute DELETE in a read-only transaction"):
        await inspection._ask(engine, text("DELETE FROM notify.ent_notification RETURNING id"))
    monkeypatch.setattr(inspection, "_WITHIN", text("SET LOCAL statement_timeout = '1ms'"))
    with pytest.raises(StoreUnavailable, match="statement timeout"):
        await inspection._ask(engine, text("SELECT pg_sleep(60)"))
    monkeypatch.undo()
    assert await inspection.read_backlog(engine) == []
