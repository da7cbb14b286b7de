"""A list of notifications of the API is inserted by one statement."""

from xnovu_poller.store.revisions import run

revision = "0020_batches"
down_revision = "0019_routes"
compatible_from = "0011_checks"
branch_labels = None
depends_on = None

UP = ("0020_batches.sql",)
DOWN = ("0020_downgrade.sql",)


def upgrade() -> None:
    run(*UP)


def downgrade() -> None:
    run(*DOWN)
