"""What a producer may insert, and the keys in the order of bytes."""

import re
from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0003_producers"
down_revision = "0002_roles"
branch_labels = None
depends_on = None

SQL = Path(__file__).parents[1] / "sql"

# What an interrupted CREATE INDEX CONCURRENTLY leaves: writers maintain it, and no query uses it.
HALF_MADE = sa.text("""
    SELECT format('DROP INDEX CONCURRENTLY %s', indexrelid::regclass) FROM pg_catalog.pg_index
    JOIN pg_catalog.pg_class ON pg_class.oid = indexrelid
    WHERE NOT indisvalid AND relnamespace = 'notify'::regnamespace AND relname LIKE '%\\_next'""")


UP = (
    "0003_indexes.sql",
    "0003_names.sql",
    "0003_refusals.sql",
    "0003_producers.sql",
    "0003_enqueue.sql",
    "0003_rights.sql",
)

# The fourth creates notify.enqueue as it was before.
DOWN = ("0003_indexes.sql", "0003_names.sql", "0003_downgrade.sql", "0002_enqueue.sql", "0003_rights.sql")


def _run(name: str) -> None:
    """Run a file unchanged: with parameters, SQLAlchemy and psycopg would interpret its colons and per cent signs."""
    _execute((SQL / name).read_text(encoding="utf-8"))


def _execute(statements: str) -> None:
    op.get_bind().exec_driver_sql(statements, execution_options={"no_parameters": True})


def _build_indexes(name: str, operators: str) -> None:
    """Replace each index by key, one statement after the other. No writer waits for it, and no index is ever missing."""
    file = (SQL / name).read_text(encoding="utf-8").replace(" text_pattern_ops", operators)
    with op.get_context().autocommit_block():
        for half_made in op.get_bind().scalars(HALF_MADE).all():
            _execute(half_made)
        for statement in re.split(r"(?<=;)\n", file):
            _execute(statement)


def upgrade() -> None:
    indexes, *files = UP
    _build_indexes(indexes, " text_pattern_ops")
    for name in files:
        _run(name)


def downgrade() -> None:
    indexes, *files = DOWN
    _build_indexes(indexes, "")
    for name in files:
        _run(name)
