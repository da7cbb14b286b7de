"""${message}."""

from xnovu_poller.store.revisions import run

revision = "${up_revision}"
down_revision = "${down_revision}"
compatible_from = "the newest revision of the version before"
branch_labels = None
depends_on = None

UP = ("${up_revision}.sql",)
DOWN = ("${up_revision[:4]}_downgrade.sql",)


def upgrade() -> None:
    run(*UP)


def downgrade() -> None:
    run(*DOWN)
