"""Objects that somebody puts into `public`, where PostgreSQL 14 lets everybody create, are never run by our triggers."""

import pytest
from psycopg import sql

from tests.support.logins import speak_for
from tests.support.rows import Db, a_notification, a_rule, a_workflow, written
from xnovu_poller.lifecycle import Status

FUNCTIONS = (
    "concat(text, text, text)",
    "num_nonnulls(timestamptz, timestamptz, timestamptz, timestamptz, timestamptz, timestamptz, text, jsonb, text)",
    "num_nonnulls(text, text, text[])",
)
OPERATORS = (
    ("=", "notify.notification_status"),
    ("<>", "notify.notification_status"),
    ("=", "notify.publish_status"),
    ("=", "notify.payload"),
    ("=", "notify.recipients"),
    ("=", "notify.channel_type[]"),
)


@pytest.fixture
def trapped(two_enterprises: Db) -> Db:
    """Return the superuser's connection to a database whose `public` is full of better matches than PostgreSQL's own."""
    for signature in FUNCTIONS:
        two_enterprises.execute(
            f"CREATE FUNCTION public.{signature} RETURNS text LANGUAGE sql AS 'SELECT (1 / 0)::text'".encode()
        )
    for number, (name, kind) in enumerate(OPERATORS):
        two_enterprises.execute(
            sql.SQL(
                "CREATE FUNCTION public.trap_{0}({1}, {1}) RETURNS boolean LANGUAGE sql AS 'SELECT 1 / 0 > 0';"
                "CREATE OPERATOR public.{2} (FUNCTION = public.trap_{0}, LEFTARG = {1}, RIGHTARG = {1})"
            ).format(sql.SQL(str(number)), sql.SQL(kind), sql.SQL(name))
        )
    two_enterprises.execute(
        "CREATE FUNCTION public.trap(notify.notification_status, text) RETURNS text LANGUAGE sql AS 'SELECT (1 / 0)::text';"
        "CREATE OPERATOR public.|| (FUNCTION = public.trap, LEFTARG = notify.notification_status, RIGHTARG = text)"
    )
    return two_enterprises


@pytest.mark.parametrize("path", ['"$user", public', "public, pg_catalog"])
def test_no_trap_is_sprung_by_a_producers_writes(trapped: Db, producer: Db, path: str) -> None:
    """Under the usual search path, and under a path that puts `public` first."""
    speak_for(producer, "acme")
    producer.execute(sql.SQL("SET search_path = {}").format(sql.SQL(path)))

    workflow = a_workflow(producer, enterprise="acme", key="another")
    a_rule(producer, workflow=workflow)
    made = a_notification(producer, workflow=workflow)
    written(producer, made, priority=3, payload={"a": 1}, recipients=["b"])
    enqueued = producer.execute("SELECT notify.enqueue('acme', 'another', '{s}') AS id").fetchone()
    assert enqueued is not None
    assert producer.execute("SELECT notify.retract(%s) AS status", [enqueued["id"]]).fetchone() == {
        "status": "RETRACTED"
    }


@pytest.mark.parametrize("path", ['"$user", public', "public, pg_catalog"])
def test_no_trap_is_sprung_by_an_administrators_writes(trapped: Db, path: str) -> None:
    """A superuser's session would give the trap all rights."""
    trapped.execute(sql.SQL("SET search_path = {}").format(sql.SQL(path)))

    for status in Status:
        a_notification(trapped, status=status)
    trapped.execute("INSERT INTO notify.ent_enterprise (enterprise_id, workflow_keys) VALUES ('new', '{}')")
    trapped.execute("DELETE FROM notify.ent_notification_rule")
