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
from xnovu_poller.store import enterprise_states, firing, inspection, statistics
from xnovu_poller.store.checks import rows
from xnovu_poller.store.notifications import (
    backlog,
    by_claim,
    day,
    lapsed,
    listing,
    purge,
    waiting,
    walk,
    withdrawn,
)
from xnovu_poller.store.notifications.claim_sql import claim_sql
from xnovu_poller.store.notifications.due import FAILED, NEW, SCHEDULED
from xnovu_poller.store.notifications.round_sql import EnterpriseScope
from xnovu_poller.store.session import WORKER

Connection = psycopg.Connection[tuple[Any, ...]]

SENT = 20_000
DUE = 300

STATEMENTS: dict[str, TextClause] = {
    **{
        f"claim {due.name}{' switched' * switched} {scope.value}": claim_sql(
            due, 100, scope, switched=switched
        )
        for due in (NEW, SCHEDULED, FAILED)
        for scope in EnterpriseScope
        for switched in (False, True)
    },
    **snapshots.ARROWS,
    "lapsed": lapsed._LAPSED,
    "recall": by_claim._RECALL,
    "purge": purge._PURGE,
    "withdrawn": withdrawn._WITHDRAWN,
    "backlog": backlog._BACKLOG,
    "next due": backlog._NEXT_DUE,
    "oldest due": backlog._OLDEST_DUE,
    "waiting": waiting._WAITING,
    "statistics": statistics._STATISTICS,
    "leases": rows._LEASES,
    "stuck": rows._STUCK,
    "inspect backlog": inspection._BACKLOG,
    "inspect tenants": inspection._TENANTS,
    "fire": firing._FIRE,
    "made": firing._FIND_MADE,
    "states": listing._STATES,
    "list": listing._PAGE,
    "list compared": listing._LARGE_PAGE,
    "newest": listing._BLOCK,
    "day": day._DAY,
    "enterprises": enterprise_states._PAGE,
    **{f"walk {state}": statement for state, statement in walk._WALKS.items()},
    **{f"held back {name}": statement for name, statement in backlog._HELD_BACK.items()},
}

# The list of the newest reads the table in the order of ids.
LISTS = [name for name in STATEMENTS if name.startswith(("list", "walk"))]

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
        with psycopg.connect(url, autocommit=True) as worker:
            worker.execute(WORKER.pinned)
            yield worker


@pytest.fixture(scope="module")
def quiet(any_postgres_server: Postgres) -> Iterator[Connection]:
    """Lend a database with a history in a quiet moment: nothing is in flight, so the indexes of such rows are empty."""
    with migrated_copy(any_postgres_server) as url:
        with psycopg.connect(url, autocommit=True) as owner:
            owner.execute(FILLED.encode())
            owner.execute("DELETE FROM notify.ent_notification WHERE notification_status <> 'SENT'")
            owner.execute("VACUUM ANALYZE notify.ent_notification")
        with psycopg.connect(url, autocommit=True) as worker:
            worker.execute(WORKER.pinned)
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


def test_the_index_of_lists_is_for_lists_only(filled: Connection) -> None:
    """It has all rows of the history."""
    users = [
        name
        for name, statement in STATEMENTS.items()
        if "ent_notification_listed" in {node.get("Index Name") for node in nodes(plan_of(filled, statement))}
    ]

    assert sorted(users) == sorted(
        ["enterprises", "day", *(name for name in LISTS if name != "walk PROCESSING")]
    )


@pytest.mark.parametrize("name", LISTS)
def test_a_list_seeks_its_place_and_sorts_only_pages(filled: Connection, name: str) -> None:
    """Each of its scans has the state and the enterprise as bounds, and begins at its place in time."""
    plan = plan_of(filled, STATEMENTS[name])
    scans = [node for node in nodes(plan) if node.get("Relation Name") == "ent_notification"]
    by_index: dict[str, list[str]] = {}
    for scan in scans:
        by_index.setdefault(scan["Index Name"], []).append(scan.get("Index Cond", ""))

    in_flight = {"ent_notification_in_flight", "ent_notification_lease"}
    is_in_flight = name == "walk PROCESSING"
    assert set(by_index) - in_flight == {"ent_notification_pkey"} | (
        set() if is_in_flight else {"ent_notification_listed"}
    )
    rows = by_index.get("ent_notification_listed", [])
    assert all(bounds.startswith("((notification_status = ") or "state" in bounds for bounds in rows), rows
    in_time = [bounds for bounds in rows if "ROW(created_at, id)" in bounds]
    assert len(in_time) == (0 if is_in_flight else 2 if name.startswith("list") else 1), json.dumps(plan)
    assert all("(enterprise_id = " in bounds for bounds in in_time), in_time
    assert set(by_index["ent_notification_pkey"]) == {
        "(id = page.id)" if name.startswith("list") else "(id = slice.id)"
    }
    sorted_ = [part for node in nodes(plan) if "Sort" in node["Node Type"] for part in node["Plans"]]
    assert [part for part in sorted_ if part.get("Index Name") == "ent_notification_listed"] == []


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
    by_login = {f"{loop}_login"} if name.endswith(" all") else set()
    by_workflow = {f"{loop}_workflow"} if " switched " in name else set()
    assert (
        set(by_index) - in_flight == {loop, f"{loop}_age", "ent_notification_pkey"} | by_login | by_workflow
    )
    walks = by_index.get(f"{loop}_login", [])
    assert all(bounds.startswith("((created_by ~>") for bounds in walks if "AND" in bounds), walks
    assert len([bounds for bounds in walks if "AND (enterprise_id ~>~" in bounds]) == 4 * len(by_login)
    lanes = by_index.get(f"{loop}_workflow", [])
    assert len([bounds for bounds in lanes if "(priority = l" in bounds]) == 3 * len(by_workflow), lanes
    assert all(
        "(enterprise_id = " in bounds and "(notification_workflow_id " in bounds for bounds in lanes
    ), lanes
    by_id = by_index["ent_notification_pkey"]
    assert by_id[-1] == "(id = numbered.id)"
    assert [bounds.startswith("(id = picked") for bounds in by_id[:-1]] == [True] * len(by_workflow)
    by_priority = [bounds for bounds in by_index[loop] if "level" in bounds]
    assert len(by_priority) == 2
    assert all("(priority = level" in bounds for bounds in by_priority)
    assert all("ROW(" in bounds or "(id > " in bounds for bounds in by_priority)


@pytest.mark.parametrize(
    "name", [name for name, arrow in snapshots.ARROWS.items() if "attempt" in arrow.text]
)
def test_an_arrow_that_is_planned_in_a_quiet_moment_reads_by_primary_key(
    quiet: Connection, name: str
) -> None:
    """It would keep that plan, and read all rows in flight for each row that it moves."""
    scans = [node for node in nodes(plan_of(quiet, snapshots.ARROWS[name])) if "Index Name" in node]
    by = {node["Index Name"] for node in scans if node["Relation Name"] == "ent_notification"}

    assert by <= {"ent_notification_pkey"} or name in {"recall", "expire"}


def test_the_next_due_row_is_the_first_of_its_index(filled: Connection) -> None:
    """With any number of enterprises it is a single step without a sort."""
    kinds = [
        (node["Node Type"], node.get("Index Name")) for node in nodes(plan_of(filled, backlog._NEXT_DUE))
    ]

    assert [kind for kind, _ in kinds if "Sort" in kind] == []
    assert {name for _, name in kinds if name} == {"ent_notification_scheduled_time"}


@pytest.mark.parametrize("name", backlog._HELD_BACK)
def test_a_look_at_the_queue_reads_only_its_loop_by_enterprise(filled: Connection, name: str) -> None:
    """It looks ten times a second during a backlog: without a sort, and not by primary key through sent rows."""
    found = list(nodes(plan_of(filled, backlog._HELD_BACK[name])))
    by_index = {
        node["Index Name"]: node.get("Index Cond", "")
        for node in found
        if node["Node Type"] in {"Index Scan", "Index Only Scan"}
        and node["Relation Name"] == "ent_notification"
        and not node["Index Name"].startswith(("ent_notification_in_flight", "ent_notification_lease"))
    }

    assert [node for node in found if "Sort" in node["Node Type"]] == []
    assert set(by_index) == {f"ent_notification_{name}_age"}


def test_a_hold_does_not_compare_each_row_with_each(filled: Connection) -> None:
    """A nested loop over the locked and the held rows takes a quarter of a million steps for a group of 500."""
    for node in nodes(plan_of(filled, snapshots.ARROWS["hold"])):
        if node["Node Type"] == "Nested Loop":
            assert [part.get("CTE Name") for part in node["Plans"]].count("held") == 0, json.dumps(node)


def test_a_scan_would_be_found(filled: Connection) -> None:
    """Binding a state is the mistake that this guard is for."""
    bound = text("SELECT id FROM notify.ent_notification WHERE notification_status::text = :status")

    assert plan_of(filled, bound)["Node Type"] == "Seq Scan"


def test_the_recall_walks_the_enterprises_without_a_sort(filled: Connection) -> None:
    """A sort would read all FAILED rows for each enterprise, in every turn of the rescuer."""
    plan = plan_of(filled, STATEMENTS["recall"])
    (walk,) = [node for node in nodes(plan) if node["Node Type"] == "Recursive Union"]

    assert [node for node in nodes(walk) if "Sort" in node["Node Type"]] == [], json.dumps(walk)


def test_enterprises_are_found_by_an_index(filled: Connection) -> None:
    """A comparison in another collation than the column's would be a filter, for which all rows of a state are read."""
    plan = plan_of(filled, STATEMENTS["enterprises"])
    scans = [node for node in nodes(plan) if node.get("Relation Name") == "ent_notification"]
    assert [scan["Filter"] for scan in scans if "enterprise_id" in scan.get("Filter", "")] == []
