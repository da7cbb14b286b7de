"""The index of lists of notifications, and the audit of what people did."""

from xnovu_poller.store.revisions import run

revision = "0013_audit"
down_revision = "0012_events"
compatible_from = "0011_checks"
branch_labels = None
depends_on = None

UP = ("0013_indexes.sql", "0013_audit.sql")
DOWN = ("0013_downgrade.sql",)


def upgrade() -> None:
    run(*UP)


def downgrade() -> None:
    run(*DOWN)
