"""A condition on the guard of updates, so that the arrows of every notification do not run it."""

from pathlib import Path

from alembic import op

revision = "0007_guards"
down_revision = "0006_firings"
branch_labels = None
depends_on = None

SQL = Path(__file__).parents[1] / "sql"


UP = ("0007_guards.sql",)


def _run(name: str) -> None:
    """Run a file unchanged: with parameters, SQLAlchemy and psycopg would interpret its colons and per cent signs."""
    statements = (SQL / name).read_text(encoding="utf-8")
    op.get_bind().exec_driver_sql(statements, execution_options={"no_parameters": True})


def upgrade() -> None:
    for name in UP:
        _run(name)


def downgrade() -> None:
    _run("0007_downgrade.sql")
