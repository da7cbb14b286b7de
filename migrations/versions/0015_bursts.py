"""An index of the enterprises with a brake."""

from xnovu_poller.store.revisions import run

revision = "0015_bursts"
down_revision = "0014_pauses"
compatible_from = "0011_checks"
branch_labels = None
depends_on = None

UP = ("0015_indexes.sql", "0015_bursts.sql")
DOWN = ("0015_downgrade.sql",)


def upgrade() -> None:
    run(*UP)


def downgrade() -> None:
    run(*DOWN)
