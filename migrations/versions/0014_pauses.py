"""Pauses, the brake of an enterprise, and indexes by which a claim steps over the rows of a paused workflow."""

from xnovu_poller.store.revisions import run

revision = "0014_pauses"
down_revision = "0013_audit"
compatible_from = "0011_checks"
branch_labels = None
depends_on = None

UP = ("0014_indexes.sql", "0014_pauses.sql")
DOWN = ("0014_downgrade.sql",)


def upgrade() -> None:
    run(*UP)


def downgrade() -> None:
    run(*DOWN)
