"""What the checks of templates and workflows look for, and a wake-up when a template changes."""

from pathlib import Path

from alembic import op

revision = "0011_checks"
down_revision = "0010_workflows"
branch_labels = None
depends_on = None

SQL = Path(__file__).parents[1] / "sql"


def _run(name: str) -> None:
    """Run a file unchanged: with parameters, SQLAlchemy and psycopg would interpret its colons and per cent signs."""
    statements = (SQL / name).read_text(encoding="utf-8")
    op.get_bind().exec_driver_sql(statements, execution_options={"no_parameters": True})


def upgrade() -> None:
    _run("0011_checks.sql")


def downgrade() -> None:
    _run("0011_downgrade.sql")
