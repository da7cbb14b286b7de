"""Roles of tenants and producers, and rights that let nobody hold up others."""

from pathlib import Path

from alembic import op

revision = "0002_roles"
down_revision = "0001_initial"
branch_labels = None
depends_on = None

SQL = Path(__file__).parents[1] / "sql"

UP = (
    "0002_keys.sql",
    "0002_roles.sql",
    "0002_tables.sql",
    "0002_guards.sql",
    "0002_tenants.sql",
    "0002_enqueue.sql",
    "0002_functions.sql",
    "0002_bounds.sql",
    "0002_wakeups.sql",
    "0002_views.sql",
    "0002_rights.sql",
)

# The others create what the first drops, as it was before.
DOWN = ("0002_downgrade.sql", "guards.sql", "views.sql", "tenants.sql", "producers.sql", "wakeups.sql")


def _run(name: str) -> None:
    """Run a file unchanged: with parameters, SQLAlchemy and psycopg would interpret its colons and per cent signs."""
    statements = (SQL / name).read_text(encoding="utf-8")
    op.get_bind().exec_driver_sql(statements, execution_options={"no_parameters": True})


def upgrade() -> None:
    for name in UP:
        _run(name)


def downgrade() -> None:
    for name in DOWN:
        _run(name)
