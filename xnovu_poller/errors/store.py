"""The errors of the database."""

from datetime import timedelta
from uuid import UUID

from xnovu_poller.errors.base import XnovuError


class StoreError(XnovuError):
    """The database cannot serve us."""

    code = "store_error"


class StoreUnavailable(StoreError):
    """PostgreSQL does not answer or cannot serve now; a write may or may not have been made.

    Args:
        answered: PostgreSQL gave the reason itself.
    """

    code = "store_unavailable"
    retryable = True

    def __init__(self, reason: str, *, answered: bool = False) -> None:
        super().__init__(f"database: {'cannot serve now' if answered else 'does not answer'} ({reason})")


class StoreLocked(StoreUnavailable):
    """Another session holds a lock that a statement needs; nothing was written."""

    code = "store_locked"

    def __init__(self) -> None:
        super().__init__(
            "another session holds a lock that a statement needs; end that session", answered=True
        )


class ClocksApart(StoreError):
    """The clocks of the database and of this process disagree, so the age of a row is not known."""

    code = "clocks_apart"

    def __init__(self, apart: timedelta) -> None:
        super().__init__(
            f"clocks: the clocks of this worker and the database differ by {apart.total_seconds():.0f} s, so nothing is"
            " purged; set both from the same time server"
        )
        self.apart = apart


class SchemaUnfit(StoreError):
    """The database cannot be used by this version until a person changes it."""

    code = "schema_unfit"

    def __init__(self, problem: str) -> None:
        super().__init__(f"database: {problem}")


class SchemaBehind(SchemaUnfit):
    """The database is behind our migration."""

    code = "schema_behind"

    def __init__(self, found: str | None, required: str) -> None:
        super().__init__(
            f"its schema is at {found or 'no migration'}, this version needs {required}; run `xnovu db upgrade`"
        )
        self.found = found
        self.required = required


class SchemaAhead(SchemaUnfit):
    """A newer version has migrated the database.

    Args:
        found: the database's revision.
        required: ours.
        is_compatible: the newer version has left this version able to work.
    """

    code = "schema_ahead"

    def __init__(self, found: str, required: str, *, is_compatible: bool) -> None:
        super().__init__(
            f"its schema is at {found}, which is newer than this version ({required}); deploy the newer version"
        )
        self.found = found
        self.required = required
        self.is_compatible = is_compatible


class SchemaUnreleased(SchemaUnfit):
    """A version before the first release made the schema, and no migration leads on from there."""

    code = "schema_unreleased"

    def __init__(self, found: str) -> None:
        super().__init__(
            f"its schema was made by an unreleased version (revision {found}), which this version cannot"
            " change; dump the rows that you need, run `xnovu db downgrade base` with the version that made it, or"
            " create a new database, then run `xnovu db upgrade`"
        )
        self.found = found


class DeploymentDisputed(StoreError):
    """The database is a copy that claims to be the original; a person has to decide."""

    code = "deployment_disputed"

    def __init__(self, deployment: UUID, sign: str) -> None:
        super().__init__(
            f"database: it is a copy of the database of deployment {deployment.hex[:8]} ({sign});"
            " run `xnovu db new-deployment` if the original is still in use,"
            " or `xnovu db keep-deployment` if this copy has replaced it"
        )
