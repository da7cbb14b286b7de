"""Functions and operators in `public`, where PostgreSQL 14 lets everybody create: no statement of ours calls them."""

import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import product
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import text
from sqlalchemy.dialects import postgresql

from tests.support.logins import a_login, without_login
from tests.support.postgres import as_worker
from tests.support.rows import open_db
from tests.support.snapshots import statements
from xnovu_poller.store.session import API, WORKER

Connection = psycopg.Connection[Any]

CONCRETE = (
    "text",
    "bigint",
    "integer",
    "boolean",
    "jsonb",
    "timestamptz",
    "uuid",
    "text[]",
    "bigint[]",
    "integer[]",
)
"""A trap for one of these types is a better match than a function of `pg_catalog` for any type."""

STATUS = "notify.notification_status"

OF_THE_API = ("api_keys.admit", "notifications.by_api.", "workflows.published", "own.")
"""The beginnings of the names of statements that only the API may run."""

_FOR_ANY_TYPE = """
    SELECT proname, prokind::text, provariadic <> 0, pronargs
    FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND proname = ANY (%s) AND EXISTS (
        SELECT FROM unnest(proargtypes) AS taken (type) JOIN pg_type t ON t.oid = taken.type WHERE t.typtype = 'p')"""

_BODY = "AS $$ BEGIN RAISE EXCEPTION 'a trap'; END $$ LANGUAGE plpgsql"


def planned() -> dict[str, str]:
    """Return the worker's statements that have a plan: SET and LOCK call nothing, and only the owner migrates."""
    return {
        name: statement
        for name, statement in statements().items()
        if not name.startswith("migrating.")
        and "pg_stat_statements" not in statement  # an extension, which `inspect slow` asks only where it is
        and re.match(r"\s*(SELECT|WITH|INSERT|UPDATE|DELETE)\b", statement)
    }


def traps(owner: Connection) -> Iterator[str]:
    """Yield what creates a trap for each function and operator that our statements may use with these types."""
    called = {word for statement in statements().values() for word in re.findall(r"\b(\w+)\(", statement)}
    for name, kind, is_variadic, count in owner.execute(_FOR_ANY_TYPE, [sorted(called)]).fetchall():
        for width in range(1, 4) if is_variadic else (count,):
            for types in product(CONCRETE[:4] if width > 1 else CONCRETE, repeat=width):
                yield from _function(name, kind, ", ".join(types))
    yield from _function("concat", "f", "text, text, bigint, text, integer")
    for operator, returns in {
        "=": "bool",
        "<>": "bool",
        "<": "bool",
        ">": "bool",
        "||": "text",
        "&&": "bool",
    }.items():
        for left, right in (*product(CONCRETE, CONCRETE), (STATUS, STATUS)):
            yield f"CREATE FUNCTION public.trap_{returns}(a {left}, b {right}) RETURNS {returns} {_BODY}"
            yield (
                f"CREATE OPERATOR public.{operator}"
                f" (FUNCTION = public.trap_{returns}, LEFTARG = {left}, RIGHTARG = {right})"
            )


def _function(name: str, kind: str, types: str) -> Iterator[str]:
    if kind != "a":
        yield f"CREATE FUNCTION public.{name}({types}) RETURNS text {_BODY}"
        return
    yield f"CREATE FUNCTION public.trap_of_{name}(text, {types}) RETURNS text {_BODY}"
    yield f"CREATE AGGREGATE public.{name}({types}) (SFUNC = public.trap_of_{name}, STYPE = text)"


def plan_of(worker: Connection, statement: str) -> str:
    """Return the plan of a statement, with the schema of each function that is not in the search path."""
    compiled = text(statement).compile(dialect=postgresql.dialect(paramstyle="numeric_dollar"))  # type: ignore[no-untyped-call] # SQLAlchemy's dialects have no types
    count = len(compiled.positiontup or ())
    arguments = sql.SQL("({})").format(sql.SQL(", ").join([sql.NULL] * count)) if count else sql.SQL("")
    worker.execute("DEALLOCATE ALL")
    worker.execute(f"PREPARE asked AS {compiled}".encode())
    explained = worker.execute(sql.SQL("EXPLAIN (VERBOSE) EXECUTE asked {}").format(arguments))
    return "\n".join(line for (line,) in explained)


@pytest.fixture
def trapped(any_database: str) -> Iterator[str]:
    """Yield a worker's URL of a database in which a stranger has filled `public` with traps."""
    stranger = a_login(any_database)
    with open_db(any_database) as owner:
        owner.execute("GRANT CREATE ON SCHEMA public TO PUBLIC")
        owner.execute("GRANT USAGE ON SCHEMA notify TO PUBLIC")
    with psycopg.connect(any_database, autocommit=True) as owner:
        springs = list(traps(owner))
    with psycopg.connect(stranger, autocommit=True, prepare_threshold=None) as tenant:
        for spring in springs:
            with suppress(psycopg.Error):  # some do not exist for these types
                tenant.execute(spring.encode())
    yield as_worker(any_database)
    with open_db(any_database) as owner:
        owner.execute(
            sql.SQL("DROP OWNED BY {}").format(sql.Identifier(stranger.split("/")[2].partition(":")[0]))
        )
    without_login(any_database, stranger)


def test_no_statement_calls_what_others_created(trapped: str, any_database: str) -> None:
    """With `public` in the search path, claims would, and others."""
    own = {name: text for name, text in planned().items() if name.startswith(OF_THE_API)}
    api = a_login(any_database, "xnovu_api")
    with psycopg.connect(api, autocommit=True, prepare_threshold=None) as login:
        login.execute(API.pinned)
        plans = {name: plan_of(login, statement) for name, statement in own.items()}
    without_login(any_database, api)
    with psycopg.connect(trapped, autocommit=True, prepare_threshold=None) as worker:
        worker.execute("SET ROLE xnovu_worker")
        others = {name: statement for name, statement in planned().items() if name not in own}
        met = [name for name, statement in others.items() if _meets_a_trap(worker, statement)]
        worker.execute(WORKER.pinned)
        plans |= {name: plan_of(worker, statement) for name, statement in others.items()}

    assert {name for name in plans if "claim_sql" in name} < set(met)
    assert [name for name, plan in plans.items() if "public." in plan] == []


def _meets_a_trap(worker: Connection, statement: str) -> bool:
    try:
        return "public." in plan_of(worker, statement)
    except psycopg.Error:
        # It calls a trap while it is planned, or a trap does not return what the statement needs.
        return True
