"""Read the notifications whose lease has lapsed, for the rescue."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text

from xnovu_poller.lifecycle import Attempt
from xnovu_poller.store.engine import Engine, acquire


@dataclass(frozen=True, slots=True)
class Lapsed:
    """A PROCESSING notification whose lease has lapsed.

    Attributes:
        attempt: the attempt whose lease has lapsed.
        sending: a send began, and nobody recorded its outcome.
    """

    attempt: Attempt
    run_id: str
    sending: bool


_LAPSED = text("""
    SELECT id, attempt, temporal_workflow_id, send_until IS NOT NULL AS sending FROM notify.ent_notification
    WHERE notification_status = 'PROCESSING' AND lease_expires_at < now()
        AND (send_until IS NULL OR send_until < now())
    ORDER BY lease_expires_at, id LIMIT :limit""")


async def read_lapsed(engine: Engine, limit: int) -> Sequence[Lapsed]:
    """Read the rows whose lease has lapsed, oldest lapse first.

    Leave out rows with a live send, because their sender may still record the outcome.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        rows = await connection.execute(_LAPSED, {"limit": limit})
        return [Lapsed(Attempt(row.id, row.attempt), row.temporal_workflow_id, row.sending) for row in rows]
