"""A record of the workflows that were written to Novu, and a wake-up when a workflow changes."""

from pathlib import Path

from alembic import op

revision = "0010_workflows"
down_revision = "0009_words"
branch_labels = None
depends_on = None

SQL = Path(__file__).parents[1] / "sql"


UP = ("0010_workflows.sql",)


def _run(name: str) -> None:
    """Run a file unchanged: with parameters, SQLAlchemy and psycopg would interpret its colons and per cent signs."""
    statements = (SQL / name).read_text(encoding="utf-8")
    op.get_bind().exec_driver_sql(statements, execution_options={"no_parameters": True})


def upgrade() -> None:
    for name in UP:
        _run(name)


def downgrade() -> None:
    _run("0010_downgrade.sql")
