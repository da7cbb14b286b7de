"""`xnovu_poller.client` inside the transactions of psycopg, SQLAlchemy and Django."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import django
import psycopg
import pytest
from django.apps import apps
from django.conf import settings
from django.db.backends.postgresql.base import DatabaseWrapper
from psycopg.rows import dict_row
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from tests.support.logins import a_login, bind, without_login
from tests.support.rows import Db, a_workflow, open_db, row, sqlalchemy_url
from tests.support.waiting import until_blocked
from xnovu_poller.client import (
    AccessRefused,
    DuplicateRefused,
    Enqueued,
    Notification,
    NotificationRefused,
    TransactionMissing,
    WorkflowUnknown,
    enqueue,
    enqueue_all,
    enqueue_all_async,
    enqueue_async,
)
from xnovu_poller.testing import enqueued, enqueued_async

SHIPPED = Notification(
    "order-shipped", ["user-17", "topic:staff"], {"order": 42, "city": "Zürich: 3%"}, dedup_key="order-42"
)
FULL = Notification(
    "order-shipped",
    ["a"],
    {"order": 5},
    name="Order 5",
    channels=["EMAIL", "PUSH"],
    overrides={"email": {}},
    tags=["orders"],
    priority=9,
    dedup_key="order-5",
    scheduled_for=datetime(2100, 1, 1, tzinfo=UTC),
    expires_at=datetime(2101, 1, 1, tzinfo=UTC),
    locale="de_CH",
    time_zone="Europe/Zurich",
    actor="editor-1",
    context={"project": "p-17"},
    exclude=["editor-1"],
    subscribers={"a": {"email": "a@example.org"}},
)


@contextmanager
def by_psycopg(url: str, *, autocommit: bool = False) -> Iterator[Any]:
    """Yield a connection whose rows are dicts, as many applications have it."""
    with closing(psycopg.connect(url, row_factory=dict_row, autocommit=autocommit)) as connection:
        yield connection


@contextmanager
def by_sqlalchemy(url: str, *, autocommit: bool = False) -> Iterator[Any]:
    """Yield a connection."""
    options = {"isolation_level": "AUTOCOMMIT"} if autocommit else {}
    engine = create_engine(sqlalchemy_url(url), **options)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@contextmanager
def by_session(url: str, *, autocommit: bool = False) -> Iterator[Any]:
    """Yield a session of the ORM."""
    with by_sqlalchemy(url, autocommit=autocommit) as connection, Session(connection) as session:
        yield session
        session.commit()
        session.rollback()


@contextmanager
def by_django(url: str, *, autocommit: bool = False) -> Iterator[Any]:
    """Yield Django's connection."""
    if not apps.ready:
        settings.configure(LOGGING_CONFIG=None)
        django.setup()
    with psycopg.connect(url) as known:
        parts = known.info
        address = {
            "HOST": parts.host,
            "PORT": parts.port,
            "USER": parts.user,
            "PASSWORD": parts.password,
            "NAME": parts.dbname,
        }
    defaults = {
        "AUTOCOMMIT": True, "ATOMIC_REQUESTS": False, "CONN_HEALTH_CHECKS": False, "CONN_MAX_AGE": 0, "OPTIONS": {},
        "TIME_ZONE": None,
    }  # fmt: skip
    connection = DatabaseWrapper({**defaults, **address})
    connection.set_autocommit(autocommit)
    with closing(connection):
        yield connection


@asynccontextmanager
async def by_psycopg_async(url: str) -> AsyncIterator[Any]:
    """Yield an async connection."""
    async with await psycopg.AsyncConnection.connect(url) as connection:
        yield connection
        await connection.rollback()


@asynccontextmanager
async def by_session_async(url: str) -> AsyncIterator[Any]:
    """Yield an async session."""
    engine = create_async_engine(sqlalchemy_url(url))
    async with AsyncSession(engine) as session:
        yield session
    await engine.dispose()


SYNC = [by_psycopg, by_sqlalchemy, by_session, by_django]
ASYNC = [by_psycopg_async, by_session_async]


@pytest.fixture
def login(database: str, db: Db) -> Iterator[str]:
    """Yield the URL of a producer's login; there is a global workflow."""
    a_workflow(db)
    made = a_login(database, "xnovu_producer")
    yield made
    without_login(database, made)


def count(db: Db) -> int:
    """Return how many notifications were committed."""
    return db.execute("SELECT FROM notify.ent_notification").rowcount


@pytest.mark.parametrize("opened", SYNC)
def test_a_notification_belongs_to_the_callers_transaction(
    db: Db, login: str, opened: Callable[..., Any]
) -> None:
    """It is gone after a rollback and there after a commit; nothing is lost between Python and the row."""
    with opened(login) as connection:
        first = enqueue(connection, SHIPPED, enterprise="acme")
        assert first.is_new
        assert enqueued(connection, enterprise="acme") == [SHIPPED]
        connection.rollback()
        assert enqueued(connection, enterprise="acme") == []
        assert count(db) == 0

        made = enqueue_all(connection, [SHIPPED, FULL, SHIPPED], enterprise="acme")
        assert [each.is_new for each in made] == [True, True, False]
        assert made[0].id == made[2].id
        assert enqueued(connection, enterprise="acme") == [SHIPPED, FULL]
        assert enqueued(connection, enterprise="globex") == []
        connection.commit()
        assert [row(db, each.id)["dedup_key"] for each in made[:2]] == ["order-42", "order-5"]

        assert enqueue(connection, SHIPPED, enterprise="acme") == Enqueued(made[0].id, is_new=False)
        assert enqueue(connection, replace(SHIPPED, dedup_key=None), enterprise="acme").is_new
        assert enqueue_all(connection, [], enterprise="acme") == []
        connection.rollback()
    assert count(db) == 2


@pytest.mark.parametrize("opened", ASYNC)
async def test_an_async_connection_does_the_same(db: Db, login: str, opened: Callable[..., Any]) -> None:
    """With the same words."""
    async with opened(login) as connection:
        assert (await enqueue_async(connection, SHIPPED, enterprise="acme")).is_new
        assert await enqueued_async(connection, enterprise="acme") == [SHIPPED]
        await connection.rollback()
        made = await enqueue_all_async(connection, [SHIPPED, FULL], enterprise="acme")
        await connection.commit()
        assert await enqueue_async(connection, SHIPPED, enterprise="acme") == Enqueued(
            made[0].id, is_new=False
        )
        await connection.rollback()
        with pytest.raises(WorkflowUnknown):
            await enqueue_async(connection, Notification("none", ["a"]), enterprise="acme")
        await connection.rollback()
        with pytest.raises(TypeError, match="does not fit"):
            enqueue(connection, SHIPPED, enterprise="acme")
    assert count(db) == 2


@pytest.mark.parametrize("opened", SYNC)
def test_each_refusal_is_our_error_with_the_sentence_of_postgresql(
    login: str, opened: Callable[..., Any]
) -> None:
    """And a hint; what PostgreSQL itself reports stays the driver's error."""
    other = replace(SHIPPED, payload={"secret": "canary"})
    refused: list[tuple[Notification, type[Exception], str]] = [
        (
            Notification("none", ["a"]),
            WorkflowUnknown,
            "has no workflow of this key.*; Insert it into notify.ent_not",
        ),
        (Notification("order-shipped", []), NotificationRefused, "recipients is an empty list"),
        (replace(SHIPPED, priority=17), NotificationRefused, "priority is 17 .*; It lies between 0 and 9"),
        (replace(SHIPPED, channels=["FAX"]), NotificationRefused, "invalid input value for enum"),
        (other, DuplicateRefused, "which has another workflow, payload or other recipients"),
    ]
    with opened(login) as connection:
        enqueue(connection, SHIPPED, enterprise="acme")
        connection.commit()
        for notification, kind, sentence in refused:
            with pytest.raises(kind, match=sentence) as raised:
                enqueue(connection, notification, enterprise="acme")
            assert "canary" not in str(raised.value)
            assert raised.value.__cause__ is not None
            connection.rollback()


@pytest.mark.parametrize("opened", SYNC)
def test_a_connection_without_a_transaction_is_refused(
    db: Db, login: str, opened: Callable[..., Any]
) -> None:
    """Otherwise the notification would be sent although the work that it belongs to failed."""
    with opened(login, autocommit=True) as connection, pytest.raises(TransactionMissing, match="inside it"):
        enqueue(connection, SHIPPED, enterprise="acme")

    assert count(db) == 0


async def test_a_transaction_on_a_connection_with_autocommit_is_enough(db: Db, login: str) -> None:
    """As psycopg recommends it; outside of it, an async connection is refused too."""
    with by_psycopg(login, autocommit=True) as connection, connection.transaction():
        assert enqueue(connection, SHIPPED, enterprise="acme").is_new
    async with await psycopg.AsyncConnection.connect(login, autocommit=True) as other:
        with pytest.raises(TransactionMissing):
            await enqueue_async(other, SHIPPED, enterprise="acme")

    assert count(db) == 1


def test_a_tenants_login_writes_for_its_own_enterprise_only(database: str, db: Db) -> None:
    """It has no right on tables, and names no enterprise; the client needs neither."""
    a_workflow(db)
    login = a_login(database, "xnovu_tenant")
    bind(database, login, "acme")
    with by_psycopg(login) as connection:
        assert enqueue(connection, SHIPPED, enterprise="acme").is_new
        assert enqueued(connection, enterprise="acme") == [SHIPPED]
        connection.commit()
        assert not enqueue(connection, SHIPPED, enterprise="acme").is_new
        with pytest.raises(AccessRefused, match="your login is not bound to it"):
            enqueue(connection, SHIPPED, enterprise="globex")
    without_login(database, login)


async def test_a_call_that_waited_for_the_same_key_is_not_new(database: str, db: Db, login: str) -> None:
    """The first of two transactions wrote it."""
    with ThreadPoolExecutor(1) as pool, by_psycopg(login) as first:
        made = enqueue(first, SHIPPED, enterprise="acme")
        second = pool.submit(_enqueue_as, f"{login}?application_name=second")
        await until_blocked(database, "second")
        first.commit()
        assert await asyncio.to_thread(second.result) == Enqueued(made.id, is_new=False)


def test_a_serialization_failure_stays_the_drivers_error(login: str) -> None:
    """The application repeats its transaction, as it does for its own statements."""
    with by_psycopg(login) as older, open_db(login) as other:
        older.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        older.execute("SELECT 1")
        with other.transaction():
            enqueue(other, SHIPPED, enterprise="acme")
        with pytest.raises(psycopg.errors.SerializationFailure):
            enqueue(older, SHIPPED, enterprise="acme")


def _enqueue_as(url: str) -> Enqueued:
    with psycopg.connect(url) as connection:
        return enqueue(connection, SHIPPED, enterprise="acme")
