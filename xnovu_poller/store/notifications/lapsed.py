"""Read the notifications whose lease has lapsed, for the rescue."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text

from xnovu_poller.lifecycle import Attempt
from xnovu_poller.store.engine import Engine, acquire
from xnovu_poller.store.notifications.arrow import LIVE


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


_LAPSED = text(f"""
    SELECT n.id, n.attempt, n.temporal_workflow_id, n.send_until IS NOT NULL AS sending FROM notify.ent_notification n
    WHERE n.notification_status = 'PROCESSING' AND n.lease_expires_at < now() AND {LIVE} IS NOT TRUE
    ORDER BY n.lease_expires_at, n.id LIMIT :limit
    FOR NO KEY UPDATE SKIP LOCKED""")  # noqa: S608 - the condition is a constant


async def read_lapsed(engine: Engine, limit: int) -> Sequence[Lapsed]:
    """Read the rows whose lease has lapsed, oldest lapse first.

    Leave out rows with a live send, because their sender may still record the outcome, and rows that another session
    has locked, because they cannot be rescued now.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        rows = await connection.execute(_LAPSED, {"limit": limit})
        return [Lapsed(Attempt(row.id, row.attempt), row.temporal_workflow_id, row.sending) for row in rows]
