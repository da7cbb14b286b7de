"""Rows for tests, written by the superuser but only by lawful moves."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from xnovu_poller.lifecycle import Attempt, Status
from xnovu_poller.store.engine import Engine, connect

Db = psycopg.Connection[dict[str, Any]]

_LET_GO = "lease_expires_at = NULL, send_until = NULL"
_CLAIM = (
    "notification_status = 'PROCESSING', attempt = attempt + 1, lease_expires_at = now() + interval '5 min',"
    " temporal_workflow_id = concat('test-notification-', id, '-', attempt + 1)"
)
_WALKS: dict[Status, list[str]] = {
    Status.PENDING: [],
    Status.PROCESSING: [_CLAIM],
    Status.SENT: [_CLAIM, f"notification_status = 'SENT', processed_at = now(), {_LET_GO}"],
    Status.FAILED: [
        _CLAIM,
        f"notification_status = 'FAILED', next_attempt_at = now(), failure_count = 1, {_LET_GO}",
    ],
    Status.DEAD: [_CLAIM, f"notification_status = 'DEAD', processed_at = now(), {_LET_GO}"],
    Status.RETRACTED: ["notification_status = 'RETRACTED', retracted_at = now()"],
}


def open_db(url: str) -> Db:
    """Connect; each statement is its own transaction, and each row a dict."""
    return psycopg.connect(url, autocommit=True, row_factory=dict_row)


def sqlalchemy_url(url: str) -> str:
    """Return the URL in the form that `store.engine.connect` and `store.schema.upgrade` take."""
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


def a_workflow(
    db: Db, *, enterprise: str | None = None, key: str = "order-shipped", **columns: object
) -> int:
    """Insert a published workflow, global unless you name an enterprise; return its id."""
    chosen: dict[str, object] = {
        "enterprise_id": enterprise,
        "name": key,
        "workflow_key": key,
        "workflow_type": "STATIC",
        "publish_status": "PUBLISH",
    }
    return _insert(db, "ent_notification_workflow", chosen | columns)


def a_template(db: Db, *, enterprise: str | None = None, key: str = "parcel", **columns: object) -> int:
    """Insert a published template, global unless you name an enterprise; return its id."""
    chosen: dict[str, object] = {
        "enterprise_id": enterprise,
        "name": key,
        "template_key": key,
        "channel_type": "EMAIL",
        "body_template": "Hello",
        "publish_status": "PUBLISH",
    }
    return _insert(db, "ent_notification_template", chosen | columns)


@contextmanager
def unguarded(db: Db) -> Iterator[None]:
    """Write rows as a version without today's limits has left them."""
    db.execute("SET session_replication_role = replica")
    try:
        yield
    finally:
        db.execute("SET session_replication_role = origin")


def a_rule(db: Db, *, workflow: int, enterprise: str = "acme", **columns: object) -> int:
    """Insert a published daily rule; return its id."""
    chosen: dict[str, object] = {
        "enterprise_id": enterprise,
        "name": "daily",
        "notification_workflow_id": workflow,
        "trigger_type": "CRON",
        "trigger_config": {"cron": "0 9 * * *", "timezone": "UTC"},
        "rule_payload": {"recipients": ["subscriber-1"]},
        "publish_status": "PUBLISH",
    }
    return _insert(db, "ent_notification_rule", chosen | columns)


def a_single_rule(
    db: Db, *, workflow: int, enterprise: str = "acme", at: str = "2030-01-01T09:00:00Z", **columns: object
) -> int:
    """Insert a published rule that fires once; return its id."""
    once: dict[str, object] = {"trigger_type": "SCHEDULE", "trigger_config": {"at": at}}
    return a_rule(db, workflow=workflow, enterprise=enterprise, **(once | columns))


def a_notification(
    db: Db,
    *,
    enterprise: str = "acme",
    status: Status = Status.PENDING,
    workflow: int | None = None,
    **columns: object,
) -> int:
    """Insert a notification, due at once by default, and move it to a state; return its id.

    Until it is in that state no worker sees it.

    Args:
        db: the connection.
        enterprise: its enterprise.
        status: the state to reach, by lawful moves.
        workflow: the id of its workflow.
        columns: further columns of the producer; dicts become JSON.
    """
    chosen: dict[str, object] = {
        "enterprise_id": enterprise,
        "name": "order shipped",
        "notification_workflow_id": workflow,
        "recipients": ["subscriber-1"],
    }
    with db.transaction():
        made = _insert(db, "ent_notification", chosen | columns)
        for change in _WALKS[status]:
            _change(db, made, sql.SQL(change))
    return made


def notifications(db: Db, count: int, *, enterprise: str = "acme", priority: int = 0) -> list[int]:
    """Insert many due notifications at once; return their ids in order."""
    rows = db.execute(
        "INSERT INTO notify.ent_notification (enterprise_id, name, recipients, priority)"
        " SELECT %s, 'n' || i, '{subscriber-1}', %s FROM generate_series(1, %s) AS i RETURNING id",
        [enterprise, priority, count],
    )
    return sorted(row["id"] for row in rows)


def back_dated(db: Db, notification_id: int, ago: timedelta = timedelta(hours=1), *columns: str) -> None:
    """Move times of a row into the past, by default `lease_expires_at`."""
    names = columns or ("lease_expires_at",)
    moved = sql.SQL(", ").join(
        sql.SQL("{} = clock_timestamp() - {}").format(sql.Identifier(name), sql.Literal(ago))
        for name in names
    )
    _change(db, notification_id, moved)


def soon() -> datetime:
    """Return a time at which a live send may end: a minute ahead."""
    return datetime.now(UTC) + timedelta(minutes=1)


def written(db: Db, notification_id: int, **columns: object) -> None:
    """Set columns of a row, as far as the guards allow it."""
    _change(
        db,
        notification_id,
        sql.SQL(", ").join(
            sql.SQL("{} = {}").format(sql.Identifier(name), sql.Literal(_literal(value)))
            for name, value in columns.items()
        ),
    )


def row(db: Db, notification_id: int) -> dict[str, Any]:
    """Read a notification in full."""
    found = db.execute("SELECT * FROM notify.ent_notification WHERE id = %s", [notification_id]).fetchone()
    assert found is not None
    return found


def rule_row(db: Db, rule_id: int) -> dict[str, Any]:
    """Read a rule in full."""
    found = db.execute("SELECT * FROM notify.ent_notification_rule WHERE id = %s", [rule_id]).fetchone()
    assert found is not None
    return found


def rewritten(db: Db, rule_id: int, **columns: object) -> None:
    """Set columns of a rule, as its tenant does."""
    change = sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(name), sql.Literal(_literal(value)))
        for name, value in columns.items()
    )
    statement = sql.SQL("UPDATE notify.ent_notification_rule SET {} WHERE id = {}")
    assert db.execute(statement.format(change, sql.Literal(rule_id))).rowcount == 1


def attempt_of(db: Db, notification_id: int) -> Attempt:
    """Return the present attempt of a notification."""
    return Attempt(notification_id, row(db, notification_id)["attempt"])


def _change(db: Db, notification_id: int, change: sql.Composable) -> None:
    statement = sql.SQL("UPDATE notify.ent_notification SET {} WHERE id = {}")
    changed = db.execute(statement.format(change, sql.Literal(notification_id)))
    assert changed.rowcount == 1


def _insert(db: Db, table: str, columns: dict[str, object]) -> int:
    statement = sql.SQL("INSERT INTO notify.{} ({}) VALUES ({}) RETURNING id").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL(", ").join(sql.Literal(_literal(value)) for value in columns.values()),
    )
    made = db.execute(statement).fetchone()
    assert made is not None
    return int(made["id"])


def _literal(value: object) -> object:
    return Jsonb(value) if isinstance(value, dict) else value


@pytest.fixture
def db(database: str) -> Iterator[Db]:
    """Yield the superuser's connection to the test's migrated database."""
    with open_db(database) as connection:
        yield connection


@asynccontextmanager
async def engine_on(url: str) -> AsyncIterator[Engine]:
    """Yield the worker's pool on a database."""
    engine = connect(sqlalchemy_url(url), part="test")
    try:
        yield engine
    finally:
        await engine.dispose()


@pytest.fixture
async def engine(database: str) -> AsyncIterator[Engine]:
    """Yield the worker's pool on the test's migrated database."""
    async with engine_on(database) as made:
        yield made


@pytest.fixture
async def any_engine(any_database: str) -> AsyncIterator[Engine]:
    """Yield the same as `engine`, on each version."""
    async with engine_on(any_database) as made:
        yield made
