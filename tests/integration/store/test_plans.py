"""No claim and no arrow ever scans the table, with any content and any parameters."""

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import TextClause, text
from sqlalchemy.dialects import postgresql

from tests.support import snapshots
from tests.support.postgres import migrated_copy
from xnovu_poller.dev.postgres import Postgres
from xnovu_poller.store import checks, firing, statistics
from xnovu_poller.store.engine import worker_options
from xnovu_poller.store.notifications import backlog, lapsed, purge, withdrawn
from xnovu_poller.store.notifications.claim_sql import EnterpriseScope, claim_sql
from xnovu_poller.store.notifications.due import FAILED, NEW, SCHEDULED

Connection = psycopg.Connection[tuple[Any, ...]]

SENT = 20_000
DUE = 300

STATEMENTS: dict[str, TextClause] = {
    **{
        f"claim {due.name} {scope.value}": claim_sql(due, 100, scope)
        for due in (NEW, SCHEDULED, FAILED)
        for scope in EnterpriseScope
    },
    **snapshots.ARROWS,
    "lapsed": lapsed._LAPSED,
    "purge": purge._PURGE,
    "withdrawn": withdrawn._WITHDRAWN,
    "backlog": backlog._BACKLOG,
    "next due": backlog._NEXT_DUE,
    "oldest due": backlog._OLDEST_DUE,
    "statistics": statistics._STATISTICS,
    "leases": checks._LEASES,
    "fire": firing._FIRE,
    "made": firing._FIND_MADE,
    **{f"held back {name}": statement for name, statement in backlog._HELD_BACK.items()},
}

CLAIMS = pytest.mark.parametrize("name", [name for name in STATEMENTS if name.startswith("claim ")])

# Not vacuumed, so the planner cannot rely on index-only scans.
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
    """Lend a database with a long history and some due rows of each kind."""
    with migrated_copy(any_postgres_server) as url:
        with psycopg.connect(url, autocommit=True) as owner:
            owner.execute(FILLED.encode())
        options = worker_options("-c plan_cache_mode=force_generic_plan")
        with psycopg.connect(url, autocommit=True, options=options) as worker:
            yield worker


def plan_of(connection: Connection, statement: TextClause) -> dict[str, Any]:
    """Return the generic plan of a statement, which a pooled connection ends up with."""
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
    """Every access to the notifications uses an index."""
    plan = plan_of(filled, STATEMENTS[name])

    scans = [node for node in nodes(plan) if node["Node Type"] == "Seq Scan"]
    assert [node for node in scans if node["Relation Name"] == "ent_notification"] == [], json.dumps(plan)


@CLAIMS
def test_a_claim_sorts_no_notifications(filled: Connection, name: str) -> None:
    """Their order is the index's; only the few rows of the claim are sorted."""
    plan = plan_of(filled, STATEMENTS[name])

    sorts = [node for node in nodes(plan) if "Sort" in node["Node Type"]]
    below = [part["Node Type"] for node in sorts for part in node["Plans"]]
    assert [kind for kind in below if kind.startswith(("Index", "Bitmap"))] == [], json.dumps(plan)


@CLAIMS
def test_a_claim_seeks_each_row_by_the_bounds_of_its_order(filled: Connection, name: str) -> None:
    """By the bounds of its order, never by the primary key through sent rows: that read the whole history."""
    found = [node for node in nodes(plan_of(filled, STATEMENTS[name])) if "Scan" in node["Node Type"]]
    scans = [node for node in found if node.get("Relation Name") == "ent_notification"]
    by_index: dict[str, list[str]] = {}
    for scan in scans:
        by_index.setdefault(scan["Index Name"], []).append(scan.get("Index Cond", ""))
    loop = f"ent_notification_{name.split()[1]}"

    assert {node["Node Type"] for node in scans} <= {"Index Scan", "Index Only Scan"}
    in_flight = {"ent_notification_in_flight", "ent_notification_lease"}
    assert set(by_index) - in_flight == {loop, f"{loop}_age", "ent_notification_pkey"}
    assert by_index["ent_notification_pkey"] == ["(id = numbered.id)"]
    by_priority = [bounds for bounds in by_index[loop] if "level" in bounds]
    assert len(by_priority) == 2
    assert all("(priority = level" in bounds for bounds in by_priority)
    assert all("ROW(" in bounds or "(id > " in bounds for bounds in by_priority)


def test_the_next_due_row_is_the_first_of_its_index(filled: Connection) -> None:
    """With any number of enterprises it is a single step without a sort."""
    kinds = [
        (node["Node Type"], node.get("Index Name")) for node in nodes(plan_of(filled, backlog._NEXT_DUE))
    ]

    assert [kind for kind, _ in kinds if "Sort" in kind] == []
    assert {name for _, name in kinds if name} == {"ent_notification_scheduled_time"}


def test_a_scan_would_be_found(filled: Connection) -> None:
    """Binding a state is the mistake that this guard is for."""
    bound = text("SELECT id FROM notify.ent_notification WHERE notification_status::text = :status")

    assert plan_of(filled, bound)["Node Type"] == "Seq Scan"
