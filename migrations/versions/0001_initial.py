"""The schema `notify`: the SQL files of `migrations/sql`, in this order."""

from pathlib import Path

from alembic import op

revision = "0001_initial"
down_revision = None
branch_labels = None
depends_on = None

SQL = Path(__file__).parents[1] / "sql"

UP = (
    "types.sql",
    "tables.sql",
    "notifications.sql",
    "guards.sql",
    "roles.sql",
    "views.sql",
    "tenants.sql",
    "producers.sql",
    "wakeups.sql",
    "rules.sql",
)


def _run(name: str) -> None:
    """Run a file unchanged: with parameters, SQLAlchemy and psycopg would interpret its colons and per cent signs."""
    statements = (SQL / name).read_text(encoding="utf-8")
    op.get_bind().exec_driver_sql(statements, execution_options={"no_parameters": True})


def upgrade() -> None:
    for name in UP:
        _run(name)


def downgrade() -> None:
    _run("downgrade.sql")
