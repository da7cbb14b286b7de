"""What leaves the straight way of a notification: a line for each incident."""

from xnovu_poller.store.revisions import run

revision = "0012_events"
down_revision = "0011_checks"
compatible_from = "0011_checks"
branch_labels = None
depends_on = None

UP = ("0012_events.sql",)
DOWN = ("0012_downgrade.sql",)


def upgrade() -> None:
    run(*UP)


def downgrade() -> None:
    run(*DOWN)
