"""The login on each notification, and indexes by which a claim goes round the logins."""

import re
from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0008_logins"
down_revision = "0007_guards"
branch_labels = None
depends_on = None

SQL = Path(__file__).parents[1] / "sql"

# What an interrupted CREATE INDEX CONCURRENTLY leaves: writers maintain it, and no query uses it.
HALF_MADE = sa.text("""
    SELECT format('DROP INDEX CONCURRENTLY %s', indexrelid::regclass) FROM pg_catalog.pg_index
    JOIN pg_catalog.pg_class ON pg_class.oid = indexrelid
    WHERE NOT indisvalid AND relnamespace = 'notify'::regnamespace AND relname LIKE '%\\_login'""")


UP = ("0008_logins.sql", "0008_indexes.sql")


def _execute(statements: str) -> None:
    """Run statements unchanged: with parameters, SQLAlchemy and psycopg would interpret their colons and per cent signs."""
    op.get_bind().exec_driver_sql(statements, execution_options={"no_parameters": True})


def upgrade() -> None:
    logins, indexes = ((SQL / name).read_text(encoding="utf-8") for name in UP)
    _execute(logins)
    # The column is committed by now; if the indexes are interrupted, both files run again.
    with op.get_context().autocommit_block():
        for half_made in op.get_bind().scalars(HALF_MADE).all():
            _execute(half_made)
        for statement in re.split(r"(?<=;)\n", indexes):
            _execute(statement)


def downgrade() -> None:
    _execute((SQL / "0008_downgrade.sql").read_text(encoding="utf-8"))
