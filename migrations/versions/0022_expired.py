"""A retraction with the reason `expired` is no expiry."""

from xnovu_poller.store.revisions import run

revision = "0022_expired"
down_revision = "0021_wakeups"
compatible_from = "0011_checks"
branch_labels = None
depends_on = None

UP = ("0022_expired.sql",)
DOWN = ("0022_downgrade.sql",)


def upgrade() -> None:
    run(*UP)


def downgrade() -> None:
    run(*DOWN)
