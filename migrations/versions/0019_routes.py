"""What the API's routes of rules and workflows read."""

from xnovu_poller.store.revisions import run

revision = "0019_routes"
down_revision = "0018_api"
compatible_from = "0011_checks"
branch_labels = None
depends_on = None

UP = ("0019_routes.sql",)
DOWN = ("0019_downgrade.sql",)


def upgrade() -> None:
    run(*UP)


def downgrade() -> None:
    run(*DOWN)
