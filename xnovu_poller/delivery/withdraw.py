"""A held notification that is not to be sent any more: withdrawn by its producer, or expired."""

from datetime import timedelta

from xnovu_poller import metrics
from xnovu_poller.delivery.trigger import Ending, Verdict, slices
from xnovu_poller.errors import NovuError, NovuRejected
from xnovu_poller.lifecycle import RECIPIENTS_PER_CHUNK, ErrorDetails
from xnovu_poller.novu import Novu
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications import by_chunk, by_hold
from xnovu_poller.store.notifications.hold import Held

_ASKED_AGAIN = timedelta(minutes=1)
"""After so long, where Novu serves nobody or the key is wrong; that counts against no notification."""


async def withdraw(engine: Engine, novu: Novu, held: Held) -> Verdict:
    """Retract what is held; what may have been accepted is cancelled at Novu first.

    Novu's cancel recalls nothing that was delivered, so such a row says that its delivery is unknown.

    Returns:
        RETRACTED, recorded already; LATE; or FAILED when Novu could not be asked, for a release would
        bring the row back at once, however often Novu refuses.

    Raises:
        StoreUnavailable: nothing may have been written; the send lapses.
    """
    certain, sent = await _sent_so_far(engine, held)
    try:
        for transaction_id in sent:
            await novu.cancel(transaction_id)
    except NovuRejected as error:
        return Verdict(Ending.FAILED, held, ErrorDetails.of(error))
    except NovuError as error:
        return Verdict(Ending.FAILED, held, ErrorDetails.of(error), turned_away=_ASKED_AGAIN)
    reason = "expired" if held.expired and not held.withdrawn else "retracted"
    moved = await by_hold.retracted(engine, [held.hold], reason=reason, certain=certain)
    (metrics.EXPIRED if reason == "expired" else metrics.RETRACTED).inc(len(moved))
    return Verdict(Ending.RETRACTED if moved else Ending.LATE, held)


async def _sent_so_far(engine: Engine, held: Held) -> tuple[bool, list[str]]:
    """Tell whether nothing can have been accepted, and else the transaction ids that may have been."""
    recipients = tuple(dict.fromkeys(held.recipients))
    if len(recipients) <= RECIPIENTS_PER_CHUNK:
        certain = held.unknown_outcomes == 0
        return certain, [] if certain else [held.transaction_id]
    chunks = await by_chunk.cut(engine, held.hold, slices(recipients))
    # A lapse leaves no word at the chunk that was under way.
    doubt = held.unknown_outcomes > 0
    sent = [
        c.transaction_id
        for c in chunks
        if c.outcome in {"accepted", "unknown"} or (doubt and c.outcome is None)
    ]
    return not sent, sent
