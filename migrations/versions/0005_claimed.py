"""The time of the last claim, and room in each page for what the worker writes."""

from pathlib import Path

from alembic import op

revision = "0005_claimed"
down_revision = "0004_rules"
branch_labels = None
depends_on = None

SQL = Path(__file__).parents[1] / "sql"


UP = ("0005_claimed.sql",)


def _run(name: str) -> None:
    """Run a file unchanged: with parameters, SQLAlchemy and psycopg would interpret its colons and per cent signs."""
    statements = (SQL / name).read_text(encoding="utf-8")
    op.get_bind().exec_driver_sql(statements, execution_options={"no_parameters": True})


def upgrade() -> None:
    for name in UP:
        _run(name)


def downgrade() -> None:
    _run("0005_downgrade.sql")
