"""The columns of templates and notifications for languages, layouts, and more of what Novu's trigger takes."""

from pathlib import Path

from alembic import op

revision = "0009_words"
down_revision = "0008_logins"
branch_labels = None
depends_on = None

SQL = Path(__file__).parents[1] / "sql"

# The last is needed again, because the functions that it names are new.
UP = ("0009_templates.sql", "0009_notifications.sql", "0009_enqueue.sql", "0003_rights.sql")

# The second creates notify.enqueue as it was before.
DOWN = ("0009_downgrade.sql", "0003_enqueue.sql", "0003_rights.sql")


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
