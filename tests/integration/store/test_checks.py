"""The checks of the database: each problem is found, and a sound database has none."""

import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest

from tests.support.logins import a_login, without_login
from tests.support.rows import (
    Db,
    a_notification,
    a_rule,
    a_workflow,
    back_dated,
    notifications,
    open_db,
    written,
)
from tests.support.waiting import eventually
from xnovu_poller.lifecycle import RuleStatus, Status
from xnovu_poller.store import checks, rules
from xnovu_poller.store.checks import USUAL, Bounds
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.rules import RuleState

STRICT = Bounds(
    transaction=timedelta(0),
    horizon=1,
    wal=0,
    dead=20,
    waited=timedelta(0),
    skew=timedelta(seconds=5),
)
"""Bounds so small that a test can exceed them."""


async def find(engine: Engine, code: str, bounds: Bounds = STRICT) -> list[str]:
    """Return the sentences of the findings with this code."""
    return [finding.sentence for finding in await checks.examine(engine, bounds) if finding.code == code]


async def test_a_sound_database_has_no_findings(any_engine: Engine, any_database: str) -> None:
    """On each version, with rows in each state, and within the usual bounds."""
    with open_db(any_database) as db:
        workflow = a_workflow(db)
        for status in Status:
            a_notification(db, status=status)
        rule = a_rule(db, workflow=workflow)
        await rules.record_states(any_engine, [RuleState(rule, RuleStatus.SCHEDULED)])

    assert await checks.examine(any_engine) == []


async def test_many_deaths_of_one_cause_are_found(engine: Engine, db: Db) -> None:
    """The finding has the number and the code; few deaths, and deaths of long ago, are everyday."""
    for code, number in (("template_missing", 12), ("novu_rejected", 3)):
        for _ in range(number):
            dead = a_notification(db, status=Status.DEAD)
            written(db, dead, error_details=json.dumps({"code": code}))

    [sentence] = await find(engine, "deaths_repeated", USUAL)
    assert "at least 12 became DEAD in the last 10 minutes (template_missing)" in sentence
    assert await find(engine, "deaths_repeated", replace(USUAL, died=timedelta(0))) == []


async def test_our_triggers_are_those_of_the_migrations(db: Db) -> None:
    """The check looks for each trigger that the migrations create."""
    made = db.execute(
        "SELECT c.relname || '.' || t.tgname AS name FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
        " WHERE c.relnamespace = 'notify'::regnamespace AND NOT t.tgisinternal"
    )

    assert sorted(checks.TRIGGERS) == sorted(row["name"] for row in made)


async def test_an_index_that_is_missing_or_invalid_is_found(engine: Engine, db: Db) -> None:
    """The finding has the statement that repairs it."""
    db.execute("DROP INDEX notify.ent_notification_new_age")
    db.execute(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'notify.ent_notification_dedup'::regclass"
    )

    invalid, missing = await find(engine, "index_unfit")

    assert invalid.startswith("index ent_notification_dedup: is invalid")
    assert missing.startswith("index ent_notification_new_age: is missing")
    db.execute(missing.partition("run: ")[2].encode())
    db.execute(invalid.partition("run: ")[2].encode())
    assert await find(engine, "index_unfit") == []


async def test_a_trigger_that_is_off_is_found(engine: Engine, db: Db) -> None:
    """Disabled or missing; the statement in the finding turns it on."""
    db.execute("ALTER TABLE notify.ent_notification DISABLE TRIGGER guard_update")
    db.execute("DROP TRIGGER wake ON notify.ent_notification_rule")

    off, gone = await find(engine, "trigger_off")

    assert off.startswith("trigger guard_update of notify.ent_notification: is disabled")
    assert gone.startswith("trigger wake of notify.ent_notification_rule: is missing")
    db.execute(off.partition("run: ")[2].encode())
    assert await find(engine, "trigger_off") == [gone]


async def test_row_level_security_that_is_off_is_found(engine: Engine, db: Db) -> None:
    """Disabled or not forced; the statement in the finding repairs it."""
    db.execute("ALTER TABLE notify.ent_notification_rule NO FORCE ROW LEVEL SECURITY")
    db.execute("ALTER TABLE notify.ent_notification_workflow DISABLE ROW LEVEL SECURITY")

    rule, workflow = await find(engine, "row_security_off")

    assert rule.startswith("table notify.ent_notification_rule: row-level security is not forced")
    assert workflow.startswith("table notify.ent_notification_workflow: row-level security is off")
    for sentence in (rule, workflow):
        db.execute(sentence.partition("run: ")[2].encode())
    assert await find(engine, "row_security_off") == []


async def test_a_session_that_holds_vacuum_up_is_found(any_engine: Engine, any_database: str) -> None:
    """On each version, for any login, the check counts the transactions held up; it shows neither query nor name."""
    login = a_login(any_database, "xnovu_producer")
    with closing(psycopg.connect(login, application_name="report")) as reader, open_db(any_database) as db:
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT 'secret'")
        for _ in range(2):
            a_notification(db)

        (sentence,) = await find(any_engine, "transaction_old", Bounds(horizon=1))

        assert sentence.startswith(f"session {reader.info.backend_pid}: its transaction is older than")
        assert "secret" not in sentence
        assert "report" not in sentence
        assert await find(any_engine, "transaction_old", Bounds()) == []
        db.execute(sentence.partition("run: ")[2].encode())
    without_login(any_database, login)

    async def is_gone() -> bool:
        # A session is shown until its server process has ended.
        return await find(any_engine, "transaction_old", Bounds(horizon=1)) == []

    await eventually(is_gone)


async def test_a_long_transaction_is_found_if_its_age_is_visible(
    engine: Engine, db: Db, database: str
) -> None:
    """An administrator must let the worker see the age of other sessions."""
    with psycopg.connect(database, application_name="idler") as idler, may_see_ages(db):
        idler.execute("SELECT 1")

        (sentence,) = await find(engine, "transaction_old", Bounds(transaction=timedelta(0)))

        assert sentence.startswith(f"session {idler.info.backend_pid}: its transaction has lasted 0 minutes")


@contextmanager
def may_see_ages(db: Db) -> Iterator[None]:
    """Let the worker's role see other sessions for a moment: roles belong to the whole server."""
    db.execute("GRANT pg_read_all_stats TO xnovu_worker")
    try:
        yield
    finally:
        db.execute("REVOKE pg_read_all_stats FROM xnovu_worker")


async def test_a_slot_without_a_reader_is_found(engine: Engine, db: Db) -> None:
    """It keeps WAL until the disk is full."""
    db.execute("SELECT pg_create_physical_replication_slot('left_behind', true)")
    try:
        (sentence,) = await find(engine, "slot_holds")
        assert sentence.startswith("replication slot left_behind: has no reader, and holds")
        assert await find(engine, "slot_holds", Bounds()) == []
    finally:
        db.execute("SELECT pg_drop_replication_slot('left_behind')")
    assert await find(engine, "slot_holds") == []


async def test_dead_rows_that_nobody_removes_are_found(engine: Engine, db: Db) -> None:
    """If autovacuum is off; and if it is on, but there are more dead rows than live rows."""
    db.execute("ALTER TABLE notify.ent_notification SET (autovacuum_enabled = false)")
    notifications(db, 30)
    db.execute("DELETE FROM notify.ent_notification WHERE id % 3 > 0")

    async def findings() -> list[str]:
        # Without a request, a session reports its statistics only every ten seconds.
        db.execute("SELECT pg_stat_force_next_flush()")
        return await find(engine, "vacuum_behind")

    (sentence,) = await eventually(findings)
    assert sentence.startswith(
        "table notify.ent_notification: has 20 dead rows and 10 live rows, because autovacuum is off"
    )
    assert await find(engine, "vacuum_behind", Bounds()) == []
    db.execute(sentence.partition("run: ")[2].encode())
    assert "does not keep up" in (await findings())[0]
    db.execute("VACUUM notify.ent_notification")
    assert await findings() == []


async def test_leases_that_nobody_rescues_are_found(engine: Engine, db: Db) -> None:
    """A live send is not counted."""
    lapsed, sending, _fresh = (a_notification(db, status=Status.PROCESSING) for _ in range(3))
    for made in (lapsed, sending):
        back_dated(db, made)
    db.execute(
        "UPDATE notify.ent_notification SET send_until = now() + interval '1 h' WHERE id = %s", [sending]
    )

    (sentence,) = await find(engine, "leases_lapsed", Bounds())

    assert sentence.startswith("rescue: leases lapsed long ago, and their rows were not rescued (at least 1)")
    back_dated(db, lapsed, timedelta(minutes=9))
    assert await find(engine, "leases_lapsed", Bounds()) == []


async def test_rows_that_nobody_claims_are_found(engine: Engine, db: Db) -> None:
    """Of each loop; but not while an enterprise has rows in flight or waits because of its limit."""
    a_notification(db, scheduled_for="2100-01-01T00:00Z")
    assert await find(engine, "due_unclaimed") == []
    failed = a_notification(db, status=Status.FAILED)
    back_dated(db, failed, timedelta(minutes=11), "next_attempt_at")
    a_notification(db)

    (sentence,) = await find(engine, "due_unclaimed", Bounds())

    assert sentence.startswith(
        "failed loop: a row has been due for 11 minutes, and nothing of its enterprise"
    )
    assert len(await find(engine, "due_unclaimed")) == 2
    a_notification(db, enterprise="globex", status=Status.PROCESSING)
    assert len(await find(engine, "due_unclaimed")) == 2
    a_notification(db, status=Status.PROCESSING)
    assert await find(engine, "due_unclaimed") == []
    db.execute("DELETE FROM notify.ent_notification WHERE notification_status = 'PROCESSING'")
    assert len(await find(engine, "due_unclaimed")) == 2
    db.execute("INSERT INTO notify.ent_enterprise_limit (enterprise_id, rate) VALUES ('acme', 1)")
    assert await find(engine, "due_unclaimed") == []


async def test_a_sequence_behind_its_rows_is_found(engine: Engine, db: Db) -> None:
    """Logical replication leaves it so; the sentence has the statement that mends it."""
    made = a_notification(db)
    assert await find(engine, "sequence_behind") == []
    db.execute("ALTER SEQUENCE notify.ent_notification_id_seq RESTART")

    (sentence,) = await find(engine, "sequence_behind")

    assert sentence.endswith(f"run: SELECT setval('notify.ent_notification_id_seq', {made})")
    db.execute(sentence.partition("run: ")[2].encode())
    assert await find(engine, "sequence_behind") == []
    a_notification(db)


@pytest.mark.parametrize("ahead", [-100, 100])
async def test_clocks_that_differ_are_found(engine: Engine, ahead: int) -> None:
    """In either direction."""
    (finding,) = await checks.examine(engine, clock=lambda: time.time() + ahead)

    assert finding.code == "clock_skew"
    assert finding.sentence.startswith("clocks: the clocks of this worker and the database differ by")


async def test_rules_that_cannot_be_scheduled_are_found(engine: Engine, db: Db) -> None:
    """The finding shows how many, not which."""
    workflow = a_workflow(db)
    made = [a_rule(db, workflow=workflow) for _ in range(4)]
    statuses = (RuleStatus.INVALID, RuleStatus.INVALID, RuleStatus.FAILED, RuleStatus.DONE)
    await rules.record_states(
        engine, [RuleState(rule_id, status, "no") for rule_id, status in zip(made, statuses, strict=True)]
    )

    (finding,) = await checks.examine(engine)

    assert finding.code == "rules_unscheduled"
    assert finding.sentence.startswith("rules: 2 INVALID and 1 FAILED")
