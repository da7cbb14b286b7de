"""The audit: who did what, and for how long that is kept."""

from datetime import timedelta

import pytest
from psycopg.errors import InsufficientPrivilege

from tests.support.logins import speak_for
from tests.support.rows import Db, engine_on, open_db
from xnovu_poller.store import audit
from xnovu_poller.store.audit import Act
from xnovu_poller.store.engine import Engine

ACT = Act(
    action="revive",
    actor="ann",
    enterprise="acme",
    filters={"code": "poison"},
    counted=12,
    reason="the phone is back",
)


async def test_a_line_has_who_what_and_how_many(engine: Engine, db: Db) -> None:
    """PostgreSQL adds the login and the times."""
    line = await audit.start(engine, ACT)
    assert await audit.read_changed(engine, line) == 0
    await audit.finish(engine, line)

    (found,) = db.execute("SELECT *, started_at <= finished_at AS is_ordered FROM notify.ent_audit")
    assert {name: found[name] for name in ("id", "action", "actor", "login", "enterprise_id")} == {
        "id": line,
        "action": "revive",
        "actor": "ann",
        "login": "postgres",
        "enterprise_id": "acme",
    }
    assert (found["filters"], found["counted"], found["changed"]) == ({"code": "poison"}, 12, 0)
    assert (found["reason"], found["is_ordered"]) == ("the phone is back", True)


async def test_old_lines_are_purged(engine: Engine, db: Db) -> None:
    """By the time at which they began."""
    lines = [await audit.start(engine, ACT) for _ in range(3)]
    db.execute("UPDATE notify.ent_audit SET started_at = now() - interval '8 days' WHERE id < %s", [lines[2]])

    assert await audit.purge(engine, timedelta(days=9)) == 0
    assert await audit.purge(engine, timedelta(days=7)) == 2
    assert [found["id"] for found in db.execute("SELECT id FROM notify.ent_audit")] == lines[2:]


async def test_neither_a_tenant_nor_a_producer_reads_a_line(
    any_database: str, tenant: Db, producer: Db
) -> None:
    """Not even of its own enterprise; and a worker cannot change who did what."""
    speak_for(producer, "acme")
    async with engine_on(any_database) as engine:
        await audit.start(engine, ACT)

    for login in (tenant, producer):
        with pytest.raises(InsufficientPrivilege):
            login.execute("SELECT FROM notify.ent_audit")
    with open_db(any_database) as worker:
        worker.execute("SET ROLE xnovu_worker")
        with pytest.raises(InsufficientPrivilege):
            worker.execute("UPDATE notify.ent_audit SET actor = 'bob'")
