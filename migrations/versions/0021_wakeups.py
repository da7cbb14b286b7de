"""Fewer commits notify at the same time."""

from xnovu_poller.store.revisions import run

revision = "0021_wakeups"
down_revision = "0020_batches"
compatible_from = "0011_checks"
branch_labels = None
depends_on = None

UP = ("0021_wakeups.sql",)
DOWN = ("0021_downgrade.sql",)


def upgrade() -> None:
    run(*UP)


def downgrade() -> None:
    run(*DOWN)
