"""The arrows of notifications that need more than one call to Novu: each chunk has a delivery row."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from sqlalchemy import text

from xnovu_poller.lifecycle import RECIPIENTS_PER_CHUNK, ErrorDetails, Hold
from xnovu_poller.store.engine import Engine, acquire
from xnovu_poller.store.notifications.hold import SEND_MARGIN


@dataclass(frozen=True, slots=True)
class Chunk:
    """At most 100 recipients of a notification, and the outcome of their call so far.

    Attributes:
        number: from 1.
        recipients: unique, in the producer's order.
        transaction_id: the notification's, followed by the number.
        refusals: how many definite answers so far were not an acceptance.
        outcome: None if it must be sent.
    """

    number: int
    recipients: list[str]
    transaction_id: str
    refusals: int
    outcome: Literal["accepted", "refused", "unknown"] | None


def split_recipients(recipients: Sequence[str]) -> list[Sequence[str]]:
    """Split unique recipients into chunks, in order."""
    size = RECIPIENTS_PER_CHUNK
    return [recipients[start : start + size] for start in range(0, len(recipients), size)]


_CREATE_CHUNKS = text("""
    INSERT INTO notify.ent_notification_delivery (notification_id, chunk, enterprise_id, recipients, transaction_id)
    SELECT n.id, slice.number, n.enterprise_id,
        ARRAY(SELECT jsonb_array_elements_text(slice.recipients)), concat(n.transaction_id, '-', slice.number)
    FROM notify.ent_notification n,
        jsonb_array_elements(CAST(:slices AS jsonb)) WITH ORDINALITY AS slice (recipients, number)
    WHERE n.id = :id AND n.attempt = :attempt AND n.notification_status = 'PROCESSING' AND n.send_until = :until
    ON CONFLICT (notification_id, chunk) DO NOTHING""")

_READ_CHUNKS = text("""
    SELECT d.chunk, d.recipients, d.transaction_id, d.refusals, d.outcome
    FROM notify.ent_notification_delivery d JOIN notify.ent_notification n ON n.id = d.notification_id
    WHERE n.id = :id AND n.attempt = :attempt AND n.notification_status = 'PROCESSING' AND n.send_until = :until
    ORDER BY d.chunk""")


async def create_chunks(engine: Engine, hold: Hold, slices: Sequence[Sequence[str]]) -> list[Chunk]:
    """Create the delivery rows, unless they exist already. A late caller creates none.

    Args:
        slices: the recipients of each chunk.

    Returns:
        All chunks, by number, with the outcomes of earlier attempts; none for a late caller.

    Raises:
        StoreUnavailable: nothing may have been written.
    """
    values = {
        "id": hold.notification_id,
        "attempt": hold.attempt.number,
        "until": hold.until,
        "slices": json.dumps(slices),
    }
    async with acquire(engine) as connection:
        await connection.execute(_CREATE_CHUNKS, values)
        rows = await connection.execute(_READ_CHUNKS, values)
        return [
            Chunk(row.chunk, row.recipients, row.transaction_id, row.refusals, row.outcome) for row in rows
        ]


_RECORD_CHUNK_ANSWER = text("""
    WITH held AS (
        -- The notification, if its hold is still valid; it gets a new hold for the next chunk.
        UPDATE notify.ent_notification SET send_until = clock_timestamp() + make_interval(secs => :send),
            -- One second more, because the clock advances within the statement and the lease must outlast the send.
            lease_expires_at = greatest(lease_expires_at, clock_timestamp() + make_interval(secs => :send + 1))
        WHERE id = :id AND attempt = :attempt AND notification_status = 'PROCESSING' AND send_until = :until
        RETURNING id, send_until
    ), answered AS (
        -- The chunk, with Novu's answer.
        UPDATE notify.ent_notification_delivery AS d SET outcome = CAST(:outcome AS text),
            refusals = d.refusals + :refused, error_details = CAST(:error AS jsonb), answered_at = clock_timestamp()
        FROM held WHERE d.notification_id = held.id AND d.chunk = :chunk
    )
    SELECT send_until FROM held""")


async def record_chunk_answer(  # noqa: PLR0913 - the parts of an answer, each named
    engine: Engine,
    hold: Hold,
    chunk: Chunk,
    *,
    outcome: Literal["accepted", "refused", "unknown"] | None,
    error: ErrorDetails | None,
    refused: bool,
    deadline: timedelta,
) -> Hold | None:
    """Record the answer to a chunk, and renew the hold for the next chunk.

    Args:
        outcome: None if Novu could not serve, so the chunk must be sent again.
        refused: the answer was definite, so the next call needs another idempotency key.
        deadline: total time of the next send.

    Returns:
        The new hold, or None for a late caller, which changed nothing.

    Raises:
        StoreUnavailable: nothing may have been written.
    """
    values = {
        "id": hold.notification_id,
        "attempt": hold.attempt.number,
        "until": hold.until,
        "send": (deadline + SEND_MARGIN).total_seconds(),
        "chunk": chunk.number,
        "outcome": outcome,
        "refused": int(refused),
        "error": None if error is None else json.dumps(error.to_json()),
    }
    async with acquire(engine) as connection:
        until = await connection.scalar(_RECORD_CHUNK_ANSWER, values)
    return None if until is None else Hold(hold.attempt, until)
