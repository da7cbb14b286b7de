"""Calls of notify.enqueue that differ only in their trace are the same call."""

from xnovu_poller.store.revisions import run

revision = "0016_traces"
down_revision = "0015_bursts"
compatible_from = "0011_checks"
branch_labels = None
depends_on = None

UP = ("0016_enqueue.sql",)
DOWN = ("0016_downgrade.sql",)


def upgrade() -> None:
    run(*UP)


def downgrade() -> None:
    run(*DOWN)
