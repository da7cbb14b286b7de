"""The API: its role, keys, rate limits, and what it does with notifications."""

from xnovu_poller.store.revisions import run

revision = "0018_api"
down_revision = "0017_reader"
compatible_from = "0011_checks"
branch_labels = None
depends_on = None

UP = ("0018_api.sql", "0018_notifications.sql")
DOWN = ("0018_downgrade.sql",)


def upgrade() -> None:
    run(*UP)


def downgrade() -> None:
    run(*DOWN)
