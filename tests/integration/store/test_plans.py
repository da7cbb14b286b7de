"""No claim, no arrow ever scans the table, whatever it holds and whatever was bound."""

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import TextClause, text
from sqlalchemy.dialects import postgresql

from tests.support.postgres import migrated_copy
from xnovu_poller.dev.postgres import Postgres
from xnovu_poller.store import reads
from xnovu_poller.store.due import FAILED, NEW, SCHEDULED, Due, claim_sql
from xnovu_poller.store.engine import worker_options
from xnovu_poller.store.transitions import by_chunks, by_executors, by_loops, by_operators, holding

Connection = psycopg.Connection[tuple[Any, ...]]

SENT = 20_000
DUE = 300

STATEMENTS: dict[str, TextClause] = {
    **{
        f"claim {due.name}{' named' if named else ''}": text(claim_sql(due, 100, named=named))
        for due in (NEW, SCHEDULED, FAILED)
        for named in (False, True)
    },
    "expire": by_loops._EXPIRE,
    "release": by_loops._RELEASE,
    "extend": by_loops._EXTEND,
    "renew": by_loops._RENEW,
    "cancelled": by_loops._CANCELLED,
    "revive": by_operators._REVIVE,
    "hold": holding._HOLD,
    "sent": by_executors._SENT,
    "failed": by_executors._FAILED,
    "lose": by_executors._LOSE,
    "answered": by_chunks._ANSWERED,
    "cut": by_chunks._CUT,
    "lapsed": reads._LAPSED,
    "withdrawn": reads._WITHDRAWN,
    "backlog": reads._BACKLOG,
}

# Not vacuumed: a table on which the planner cannot count on its index-only scans.
FILLED = f"""
    INSERT INTO notify.ent_notification (enterprise_id, name, recipients, priority, scheduled_for, expires_at)
    SELECT 'tenant-' || i % 40, 'n' || i, '{{subscriber-1}}', i % 10,
        CASE WHEN i % 3 = 1 THEN now() - interval '1 h' END, CASE WHEN i % 20 = 0 THEN now() END
    FROM generate_series(1, {SENT + DUE * 4}) AS i;

    UPDATE notify.ent_notification SET notification_status = 'PROCESSING', attempt = 1,
        lease_expires_at = now() - interval '1 h', temporal_workflow_id = 'w' || id
    WHERE id > {DUE * 2};
    UPDATE notify.ent_notification SET notification_status = 'FAILED', lease_expires_at = NULL,
        next_attempt_at = now() - interval '1 h'
    WHERE id > {DUE * 2} AND id <= {DUE * 3};
    UPDATE notify.ent_notification SET notification_status = 'SENT', lease_expires_at = NULL, processed_at = now()
    WHERE id > {DUE * 4};
    ANALYZE notify.ent_notification
"""  # noqa: S608 - built of this test's numbers


@pytest.fixture(scope="module")
def filled(any_postgres_server: Postgres) -> Iterator[Connection]:
    """Give a database with a long history and some due rows of each kind."""
    with migrated_copy(any_postgres_server) as url:
        with psycopg.connect(url, autocommit=True) as owner:
            owner.execute(FILLED.encode())
        options = worker_options("-c plan_cache_mode=force_generic_plan")
        with psycopg.connect(url, autocommit=True, options=options) as worker:
            yield worker


def plan_of(connection: Connection, statement: TextClause) -> dict[str, Any]:
    """Give the generic plan of a statement, as a pooled connection comes to use it."""
    compiled = statement.compile(dialect=postgresql.dialect(paramstyle="numeric_dollar"))  # type: ignore[no-untyped-call] # SQLAlchemy's dialects have no types
    connection.execute(f"PREPARE asked AS {compiled}".encode())
    count = len(compiled.positiontup or ())
    arguments = sql.SQL("({})").format(sql.SQL(", ").join([sql.NULL] * count)) if count else sql.SQL("")
    explained = connection.execute(
        sql.SQL("EXPLAIN (FORMAT JSON) EXECUTE asked {}").format(arguments)
    ).fetchone()
    connection.execute("DEALLOCATE asked")
    assert explained is not None
    plan: dict[str, Any] = explained[0][0]["Plan"]
    return plan


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Walk a plan."""
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)


@pytest.mark.parametrize("name", STATEMENTS)
def test_no_statement_scans_the_table(filled: Connection, name: str) -> None:
    """Every access to the notifications is by an index."""
    plan = plan_of(filled, STATEMENTS[name])

    scans = [node for node in nodes(plan) if node["Node Type"] == "Seq Scan"]
    assert [node for node in scans if node["Relation Name"] == "ent_notification"] == [], json.dumps(plan)


@pytest.mark.parametrize("due", [NEW, SCHEDULED, FAILED], ids=lambda due: due.name)
def test_a_claim_sorts_no_notifications(filled: Connection, due: Due) -> None:
    """Their order is the index's; what is sorted are the few rows of the claim."""
    plan = plan_of(filled, STATEMENTS[f"claim {due.name}"])

    sorts = [node for node in nodes(plan) if "Sort" in node["Node Type"]]
    below = [part["Node Type"] for node in sorts for part in node["Plans"]]
    assert [kind for kind in below if kind.startswith(("Index", "Bitmap"))] == [], json.dumps(plan)


def test_a_scan_would_be_seen(filled: Connection) -> None:
    """A bound state is the trap that this guard stands at."""
    bound = text("SELECT id FROM notify.ent_notification WHERE notification_status::text = :status")

    assert plan_of(filled, bound)["Node Type"] == "Seq Scan"
