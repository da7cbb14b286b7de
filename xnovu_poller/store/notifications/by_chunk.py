"""The arrows of notifications that need more than one call to Novu: each chunk has a delivery row."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from sqlalchemy import text

from xnovu_poller.errors import StoreLocked
from xnovu_poller.lifecycle import RECIPIENTS_PER_CHUNK, ErrorDetails, Hold
from xnovu_poller.store.engine import Engine, acquire
from xnovu_poller.store.notifications.arrow import read_rightful
from xnovu_poller.store.notifications.hold import SEND_MARGIN


@dataclass(frozen=True, slots=True)
class Chunk:
    """At most 100 recipients of a notification, and the outcome of their call so far.

    Attributes:
        number: from 1.
        recipients: unique, in the producer's order.
        transaction_id: the notification's, and perhaps `-1`, `-push` or `-push-1`.
        refusals: how many definite answers so far were not an acceptance.
        outcome: None if it must be sent.
    """

    number: int
    recipients: list[str]
    transaction_id: str
    refusals: int
    outcome: Literal["accepted", "refused", "unknown"] | None

    @property
    def is_push(self) -> bool:
        """Whether it is only for PUSH."""
        return PUSH_SUFFIX in self.transaction_id


PUSH_SUFFIX = "-push"
"""The transaction ids of chunks for PUSH have it; no uuid contains it."""


def split_recipients(
    recipients: Sequence[str], *, push_apart: bool = False
) -> list[tuple[str, Sequence[str]]]:
    """Split unique recipients into chunks, in order: each with what its transaction id adds to the notification's.

    Args:
        push_apart: PUSH has chunks of its own, which follow the others.
    """
    size = RECIPIENTS_PER_CHUNK
    slices = [recipients[start : start + size] for start in range(0, len(recipients), size)]
    names = [""] if len(slices) == 1 else [f"-{number}" for number in range(1, len(slices) + 1)]
    kinds = ("", PUSH_SUFFIX) if push_apart else ("",)
    return [(kind + name, part) for kind in kinds for name, part in zip(names, slices, strict=True)]


_CREATE_CHUNKS = text("""
    WITH held AS MATERIALIZED (
        -- The notification, if its hold is still valid; locked, because the foreign key would wait for that lock.
        SELECT id, enterprise_id, transaction_id FROM notify.ent_notification
        WHERE id = :id AND attempt = :attempt AND notification_status BETWEEN 'PROCESSING' AND 'PROCESSING' AND send_until = :until
        FOR KEY SHARE SKIP LOCKED
    )
    INSERT INTO notify.ent_notification_delivery (notification_id, chunk, enterprise_id, recipients, transaction_id)
    SELECT held.id, part.number, held.enterprise_id,
        ARRAY(SELECT jsonb_array_elements_text(part.content -> 1)), concat(held.transaction_id, part.content ->> 0)
    FROM held, jsonb_array_elements(CAST(:parts AS jsonb)) WITH ORDINALITY AS part (content, number)
    ON CONFLICT (notification_id, chunk) DO NOTHING""")

_READ_CHUNKS = text("""
    SELECT d.chunk, d.recipients, d.transaction_id, d.refusals, d.outcome
    FROM notify.ent_notification_delivery d JOIN notify.ent_notification n ON n.id = d.notification_id
    WHERE n.id = :id AND n.attempt = :attempt AND n.notification_status BETWEEN 'PROCESSING' AND 'PROCESSING' AND n.send_until = :until
    ORDER BY d.chunk""")


async def create_chunks(
    engine: Engine, hold: Hold, parts: Sequence[tuple[str, Sequence[str]]]
) -> list[Chunk]:
    """Create the delivery rows, unless they exist already. A late caller creates none.

    Args:
        parts: for each chunk what its transaction id adds to the notification's, and its recipients.

    Returns:
        All chunks, by number, with the outcomes of earlier attempts; none for a late caller.

    Raises:
        StoreLocked: another session has locked the notification.
        StoreUnavailable: nothing may have been written.
    """
    values = {
        "id": hold.notification_id,
        "attempt": hold.attempt.number,
        "until": hold.until,
        "parts": json.dumps(parts),
    }
    async with acquire(engine) as connection:
        await connection.execute(_CREATE_CHUNKS, values)
        rows = (await connection.execute(_READ_CHUNKS, values)).all()
    if not rows:
        await _require_late(engine, hold)
    return [Chunk(row.chunk, row.recipients, row.transaction_id, row.refusals, row.outcome) for row in rows]


async def _require_late(engine: Engine, hold: Hold) -> None:
    """Return if the hold is not valid any more.

    Raises:
        StoreLocked: it is valid, so the arrow skipped the row because another session has locked it.
        StoreUnavailable: PostgreSQL does not answer.
    """
    if await read_rightful(engine, [hold]):
        raise StoreLocked


_RECORD_CHUNK_ANSWER = text("""
    WITH locked AS MATERIALIZED (
        -- The notification, if its hold is still valid.
        SELECT id FROM notify.ent_notification
        WHERE id = :id AND attempt = :attempt AND notification_status BETWEEN 'PROCESSING' AND 'PROCESSING' AND send_until = :until
        FOR NO KEY UPDATE SKIP LOCKED
    ), held AS (
        -- It gets a new hold for the next chunk.
        UPDATE notify.ent_notification AS n SET send_until = clock_timestamp() + make_interval(secs => :send)
        FROM locked WHERE n.id = locked.id
        RETURNING n.id, n.send_until
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
        StoreLocked: another session has locked the notification, so nothing was written.
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
    if until is None:
        await _require_late(engine, hold)
        return None
    return Hold(hold.attempt, until)
