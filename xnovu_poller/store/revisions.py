"""Run the SQL files of a revision; each file of migrations/versions calls this."""

import re
from pathlib import Path

from alembic import op
from sqlalchemy import text

# A build, and the drop of a half-built index, wait for transactions that are under way, and nobody waits for them. The other
# value is that of all migrations.
_PATIENT, _BRIEF = "SET lock_timeout = '5min';", "SET lock_timeout = '900ms';"

_CONCURRENTLY = re.compile(r"^(?:CREATE(?: UNIQUE)?|DROP) INDEX CONCURRENTLY\b", re.MULTILINE)
_BUILT = re.compile(r"INDEX CONCURRENTLY IF NOT EXISTS (\w+)")

# What an interrupted CREATE INDEX CONCURRENTLY leaves: writers maintain it, and no query uses it.
_HALF_BUILT = text("""
    SELECT pg_catalog.format('DROP INDEX CONCURRENTLY notify.%I', relname) FROM pg_catalog.pg_index
    JOIN pg_catalog.pg_class ON pg_class.oid = indexrelid
    WHERE NOT indisvalid AND relnamespace = 'notify'::pg_catalog.regnamespace AND relname = ANY(:names)""")


def is_concurrent(sql: str) -> bool:
    """Return whether the statements of a file run one by one, because PostgreSQL refuses them in a transaction."""
    return _CONCURRENTLY.search(sql) is not None


def run(*names: str) -> None:
    """Run files of migrations/sql, in order.

    All files are one transaction with the new revision. A file with CONCURRENTLY has no transaction: its statements run one
    by one. After an interruption the whole revision runs again, so such files come first, and can be repeated.
    """
    script = op.get_context().script
    assert script is not None  # noqa: S101 - only a revision calls this
    for name in names:
        sql = (Path(script.dir) / "sql" / name).read_text(encoding="utf-8")
        if is_concurrent(sql):
            _run_one_by_one(sql)
        else:
            _execute(sql)


def _run_one_by_one(sql: str) -> None:
    with op.get_context().autocommit_block():
        _execute(_PATIENT)
        for drop in op.get_bind().scalars(_HALF_BUILT, {"names": _BUILT.findall(sql)}).all():
            _execute(drop)
        for statement in re.split(r"(?<=;)\n", sql):
            _execute(statement)
        _execute(_BRIEF)


def _execute(sql: str) -> None:
    """Execute SQL unchanged: with parameters, SQLAlchemy and psycopg would interpret its colons and per cent signs."""
    op.get_bind().exec_driver_sql(sql, execution_options={"no_parameters": True})
