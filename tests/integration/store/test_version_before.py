"""Workers of the versions before work on today's schema: their statements, recorded when their schema was the newest."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import DBAPIError

from tests.support.rows import a_notification, a_rule, a_workflow, open_db, row, sqlalchemy_url
from xnovu_poller.lifecycle import Status

RECORDED = Path(__file__).parents[2] / "support" / "statements_of_0001.json"
STATEMENTS: dict[str, str] = json.loads(RECORDED.read_text())

STATEMENTS_OF_0011: dict[str, str] = json.loads(RECORDED.with_name("statements_of_0011.json").read_text())

# As its sessions began.
OPTIONS = "-c role=xnovu_worker -c enable_seqscan=off -c enable_bitmapscan=off -c plan_cache_mode=force_generic_plan -c jit=off"

# `identity` locks tables, and runs only while no worker is connected.
TRIED = [name for name in STATEMENTS if not name.startswith(("identity.", "schema.role"))]


@contextmanager
def former_session(url: str) -> Iterator[Connection]:
    """Open a session of the former worker."""
    engine = create_engine(
        sqlalchemy_url(url), connect_args={"options": OPTIONS}, isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.fixture
def former(any_database: str) -> Iterator[Connection]:
    """Yield a session of the former worker in this test's database."""
    with former_session(any_database) as session:
        yield session


@pytest.fixture(scope="module")
def planning(any_unchanged_database: str) -> Iterator[Connection]:
    """Yield a session of the former worker that only asks for plans."""
    with former_session(any_unchanged_database) as session:
        yield session


def run(former: Connection, name: str, **values: Any) -> list[Any]:  # noqa: ANN401 - any parameter's
    """Run a recorded statement."""
    return list(former.execute(text(STATEMENTS[name]), values).all())


def claim(former: Connection, scope: str, **values: Any) -> list[Any]:  # noqa: ANN401 - any parameter's
    """Claim as its loop of new rows did."""
    return run(
        former,
        f"notifications.claim_sql.new.{scope}",
        **{
            "after": "",
            "limit": 100,
            "max_in_flight": 1000,
            "turn": 0,
            "lease": 30,
            "prefix": "p",
            "group_size": 1,
            "groups": [],
            "counting": True,
            "holders": [],
            "held": [],
            "known": [],
            "marks": [],
            **values,
        },
    )


@pytest.mark.parametrize("name", TRIED)
def test_each_of_its_statements_has_a_plan(planning: Connection, name: str) -> None:
    """Every table, column and function is there, with the right to use it."""
    statement = text(f"EXPLAIN (FORMAT JSON) {STATEMENTS[name]}")

    planning.execute(statement, dict.fromkeys(statement.compile().params))


def unplannable(session: Connection, statements: Mapping[str, str]) -> Iterator[str]:
    """Yield the statements for which PostgreSQL makes no plan."""
    for name, sql in statements.items():
        statement = text(f"EXPLAIN (FORMAT JSON) {sql}")
        try:
            session.execute(statement, dict.fromkeys(statement.compile().params))
        except DBAPIError as error:
            yield f"{name}: {error.orig}"


def test_each_statement_of_0011_has_a_plan(planning: Connection) -> None:
    """It is the version before, whose workers go on beside this version. A column that is gone would be found."""
    gone = {"gone": "SELECT gone FROM notify.ent_notification"}

    assert list(unplannable(planning, STATEMENTS_OF_0011)) == []
    assert [found.partition("\n")[0] for found in unplannable(planning, gone)] == [
        'gone: column "gone" does not exist'
    ]


@pytest.mark.parametrize("scope", ["all", "known"])
def test_its_claims_reach_every_enterprise_and_deliver(
    any_database: str, former: Connection, scope: str
) -> None:
    """A claim, a hold and a record, as it makes them."""
    names = ["acme", "Acme", "a-cme", "Ölwerk", "ent-1", "ent-10", "Ent_2"]
    with open_db(any_database) as db:
        workflow = a_workflow(db)
        made = [a_notification(db, enterprise=name, workflow=workflow) for name in names]
    known = {"known": names[:2], "marks": [0] * 22} if scope == "known" else {}

    claims: list[Any] = []
    while taken := claim(former, scope, **known):
        claims += taken
    ids, attempts = [found.id for found in claims], [found.attempt for found in claims]
    held = run(
        former, "notifications.hold.hold", ids=ids, attempts=attempts, send=15, lease=60, with_lapsed=True
    )
    untils = [found.send_until for found in held]
    sent = run(
        former,
        "notifications.by_hold.record_sent",
        ids=[found.id for found in held],
        attempts=[found.attempt for found in held],
        untils=untils,
    )

    assert sorted(ids) == made
    assert {found.notification_status for found in sent} == {"SENT"}
    assert sorted(found.id for found in sent) == made


def test_its_rules_fire(any_database: str, former: Connection) -> None:
    """Each firing inserts under the triggers and policies of today."""
    with open_db(any_database) as db:
        made = a_rule(db, workflow=a_workflow(db))

    (fired,) = run(former, "firing.fire", rule_id=made, key="firing-1", nominal=None)

    assert fired.outcome == "created"
    with open_db(any_database) as db:
        assert row(db, fired.notification_id)["notification_status"] == Status.PENDING
