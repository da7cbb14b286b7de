"""The role of the operator's page, and the tables of what workers report for it."""

from xnovu_poller.store.revisions import run

revision = "0017_reader"
down_revision = "0016_traces"
compatible_from = "0011_checks"
branch_labels = None
depends_on = None

UP = ("0017_reader.sql",)
DOWN = ("0017_downgrade.sql",)


def upgrade() -> None:
    run(*UP)


def downgrade() -> None:
    run(*DOWN)
