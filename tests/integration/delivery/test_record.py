"""The last stage, the record, and an outage of the database in its middle."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.support.clock import Clock
from tests.support.delivering import Delivering, a_claimed, delivering, lapsed
from tests.support.novu import NovuStandIn
from tests.support.proxy import Proxy, proxied
from tests.support.rows import Db, row, soon, sqlalchemy_url, written
from tests.support.waiting import WITHIN, eventually
from xnovu_poller.backpressure.gate import Gate
from xnovu_poller.errors import StoreUnavailable, Unfinished
from xnovu_poller.lifecycle import Status
from xnovu_poller.store import engine as engine_module
from xnovu_poller.store.engine import connect

PEOPLE = [f"s{i:03}" for i in range(150)]
HOLD, WORKFLOWS, SENT = b"lapses = n.lapses", b"workflow_type::text", b"= 'SENT'"
RECORD = b"{20"
"""The parameter of a record that names the moments of its holds; its text travels only once, when it is prepared."""
CREATE_CHUNKS, RECORD_ANSWER = b"INSERT INTO notify.ent_notification_delivery", b"answered AS"


@pytest.fixture
async def proxy(database: str) -> AsyncIterator[Proxy]:
    """A proxy in front of the test's database."""
    async with proxied(database) as made:
        yield made


@pytest.fixture
async def executor(
    proxy: Proxy, database: str, novu_standin: NovuStandIn, clock: Clock
) -> AsyncIterator[Delivering]:
    """A delivery with a database that can be cut off; pauses pass only as the test wants."""
    engine = connect(sqlalchemy_url(proxy.through(database)), part="cut")
    async with delivering(engine, novu_standin, gate=Gate(clock)) as made:
        yield made
    proxy.mend()
    await engine.dispose()


@pytest.mark.parametrize("answered", [True, False], ids=["answer lost", "question lost"])
@pytest.mark.parametrize("statement", [HOLD, WORKFLOWS, SENT], ids=["hold", "fetch", "record"])
async def test_an_outage_of_the_database_loses_nothing(
    executor: Delivering, proxy: Proxy, db: Db, novu_standin: NovuStandIn, statement: bytes, *, answered: bool
) -> None:
    """A send without a record lapses, and is repeated under the same transaction id."""
    attempt = a_claimed(db)
    proxy.cut_at(statement, answered=answered)

    with pytest.raises(StoreUnavailable):
        await executor.deliver(attempt)
    assert proxy.seen_cut.is_set()
    proxy.mend()
    found = row(db, attempt.notification_id)
    if found["send_until"] is not None:
        with pytest.raises(Unfinished):
            await executor.deliver(attempt)
        lapsed(db, attempt)
    if found["notification_status"] != "SENT":
        assert await executor.deliver(attempt) == [Status.SENT]

    kept = row(db, attempt.notification_id)
    assert (kept["notification_status"], kept["send_until"]) == ("SENT", None)
    assert (novu_standin.stats()["deliveries"], novu_standin.stats()["duplicates"]) == (1, 0)


@pytest.mark.parametrize("answered", [True, False], ids=["answer lost", "question lost"])
@pytest.mark.parametrize("statement", [CREATE_CHUNKS, RECORD_ANSWER], ids=["cut", "answered"])
async def test_an_outage_of_the_database_between_chunks_loses_nothing(
    executor: Delivering, proxy: Proxy, db: Db, novu_standin: NovuStandIn, statement: bytes, *, answered: bool
) -> None:
    """The chunk without a recorded answer is sent again under its own transaction id."""
    attempt = a_claimed(db, recipients=PEOPLE)
    proxy.cut_at(statement, answered=answered)

    with pytest.raises((StoreUnavailable, Unfinished)):
        await executor.deliver(attempt)
    proxy.mend()
    if row(db, attempt.notification_id)["send_until"] is not None:
        lapsed(db, attempt)
    assert await executor.deliver(attempt) == [Status.SENT]

    stats = novu_standin.stats()
    assert (stats["deliveries"], stats["duplicates"]) == (150, 0)


async def test_a_silent_database_does_not_block_a_cancellation(
    executor: Delivering, proxy: Proxy, db: Db, novu_standin: NovuStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a half-open connection nothing is sent, the activity's time limit takes effect, and the pool stays intact."""
    # The check of the role hangs: the hold has not been sent.
    monkeypatch.setattr(engine_module, "CHECK_SECONDS", 0.0)
    first, second = a_claimed(db), a_claimed(db)
    await executor.deliver(first)
    proxy.hang()
    sending = asyncio.create_task(executor.deliver(second))
    await eventually(lambda: proxy.held_back > 0)

    sending.cancel()
    proxy.mend()
    with pytest.raises(asyncio.CancelledError):
        await sending

    assert await executor.deliver(second) == [Status.SENT]
    assert novu_standin.stats()["calls"] == 2


async def test_a_late_record_changes_nothing(executor: Delivering, db: Db, novu_standin: NovuStandIn) -> None:
    """A twin took the row over while Novu was slow, so its hold is newer."""
    attempt = a_claimed(db)
    novu_standin.fault("slow", seconds=30)
    sending = asyncio.create_task(executor.deliver(attempt))
    await eventually(lambda: novu_standin.stats()["calls"] == 1)
    written(db, attempt.notification_id, send_until=soon())
    before = row(db, attempt.notification_id)
    novu_standin.clear_faults()

    await sending

    assert row(db, attempt.notification_id) == before


@pytest.mark.parametrize("kind", ["hang_before_accept", "reset_before_accept"])
async def test_in_an_outage_no_failure_is_counted(
    executor: Delivering, db: Db, novu_standin: NovuStandIn, kind: str
) -> None:
    """Five rows without an answer, together and singly, are Novu's fault: they are FAILED until the pause ends."""
    attempts = [a_claimed(db, recipients=[f"s{i}"]) for i in range(5)]
    novu_standin.fault(kind, times=6, seconds=0.2)

    with pytest.raises(Unfinished):
        await executor.deliver(*attempts)
    endings = await executor.deliver(*attempts, last=True)

    assert endings == [Status.FAILED] * 5
    assert executor.gate.outage
    for attempt in attempts:
        kept = row(db, attempt.notification_id)
        assert (kept["notification_status"], kept["failure_count"]) == ("FAILED", 0)
        assert kept["unknown_outcomes"] == 2


@pytest.mark.parametrize("answered", [True, False], ids=["answer lost", "question lost"])
async def test_a_record_waits_for_the_database(
    executor: Delivering, proxy: Proxy, db: Db, novu_standin: NovuStandIn, *, answered: bool
) -> None:
    """Once the database is back the outcome is recorded: nothing lapses, and nothing is sent again."""
    attempt = a_claimed(db)
    proxy.cut_at(RECORD, answered=answered)

    delivering = asyncio.create_task(executor.deliver(attempt, limit=60))
    await asyncio.wait_for(proxy.seen_cut.wait(), WITHIN)
    proxy.mend()

    # A write whose answer was lost has succeeded: its repeat is late.
    assert await delivering == ([] if answered else [Status.SENT])
    kept = row(db, attempt.notification_id)
    assert (kept["notification_status"], kept["lapses"], kept["unknown_outcomes"]) == ("SENT", 0, 0)
    assert novu_standin.stats()["triggers"] == 1
