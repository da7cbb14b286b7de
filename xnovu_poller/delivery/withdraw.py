"""Withdraw held notifications that must not be sent any more: withdrawn by their producer, or expired."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from xnovu_poller.delivery.stages import watch
from xnovu_poller.errors import NovuBlocked, NovuError, NovuRejected
from xnovu_poller.lifecycle import RECIPIENTS_PER_CHUNK, ErrorDetails
from xnovu_poller.novu import Novu
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications import by_chunk
from xnovu_poller.store.notifications.by_chunk import split_recipients
from xnovu_poller.store.notifications.hold import Held
from xnovu_poller.store.notifications.verdict import Ending, Verdict

_ASK_AGAIN_AFTER = timedelta(minutes=1)
"""If Novu serves nobody or the key is wrong, ask again after this time; that counts against no notification."""


async def withdraw(engine: Engine, novu: Novu, group: Sequence[Held]) -> list[Verdict]:
    """Ask Novu to cancel what it may have accepted, so that the notifications can be retracted.

    A cancel recalls nothing that was delivered, so such a row is marked: its delivery is unknown. If the process dies
    here, the hold lapses, and Novu is asked again.

    Returns:
        A verdict for each: RETRACTED (for a late caller too, whose arrow then writes nothing); FAILED if Novu could not
        be asked, because a released row would come back at once, however often Novu refuses; or UNFINISHED if
        PostgreSQL did not answer.
    """
    found = await asyncio.gather(
        *(watch([held], _withdraw(engine, novu, held), sends=False) for held in group)
    )
    return [verdict for verdicts in found for verdict in verdicts]


async def _withdraw(engine: Engine, novu: Novu, held: Held) -> list[Verdict]:
    certain, sent = await _read_sent(engine, held)
    try:
        for transaction_id in sent:
            await novu.cancel(transaction_id)
    except NovuRejected as error:
        return [Verdict(Ending.FAILED, held, ErrorDetails.of(error))]
    except NovuBlocked as error:
        # A proxy that never lets a cancellation pass must not be asked for ever.
        return [Verdict(Ending.FAILED, held, ErrorDetails.of(error), disputed=True, wait=_ASK_AGAIN_AFTER)]
    except NovuError as error:
        return [
            Verdict(Ending.FAILED, held, ErrorDetails.of(error), counted=False, wait=_ASK_AGAIN_AFTER),
        ]
    return [Verdict(Ending.RETRACTED, held, unknown=not certain)]


async def _read_sent(engine: Engine, held: Held) -> tuple[bool, list[str]]:
    """Return whether Novu has certainly accepted nothing; if not, the transaction ids that it may have accepted."""
    recipients = held.unique_recipients
    if len(recipients) <= RECIPIENTS_PER_CHUNK and not held.push_apart:
        certain = held.unknown_outcomes == 0
        return certain, [] if certain else [held.transaction_id]
    chunks = await by_chunk.create_chunks(
        engine, held.hold, split_recipients(recipients, push_apart=bool(held.push_apart))
    )
    # A lapse records nothing about the chunk that was being sent.
    in_doubt = held.unknown_outcomes > 0
    sent = [
        chunk.transaction_id
        for chunk in chunks
        if chunk.outcome in {"accepted", "unknown"} or (in_doubt and chunk.outcome is None)
    ]
    return not sent, sent
