"""The last stage, and what becomes of it when the database goes away in the middle."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.support.delivering import Delivering, a_claimed, delivering, lapsed
from tests.support.novu import NovuStandIn
from tests.support.proxy import Proxy, proxied
from tests.support.rows import Db, row, sqlalchemy_url, written
from tests.support.waiting import eventually
from xnovu_poller.errors import StoreUnavailable, Unfinished
from xnovu_poller.lifecycle import Status
from xnovu_poller.store import engine as engine_module
from xnovu_poller.store.engine import connect

PEOPLE = [f"s{i:03}" for i in range(150)]
HOLD, WORKFLOWS, SENT = b"lapses = n.lapses", b"workflow_type::text", b"= 'SENT'"
CUT, ANSWERED = b"INSERT INTO notify.ent_notification_delivery", b"answered AS"


@pytest.fixture
async def proxy(database: str) -> AsyncIterator[Proxy]:
    """A proxy before the test's database."""
    async with proxied(database) as made:
        yield made


@pytest.fixture
async def executor(proxy: Proxy, database: str, novu_standin: NovuStandIn) -> AsyncIterator[Delivering]:
    """A delivery whose database can be cut off."""
    engine = connect(sqlalchemy_url(proxy.through(database)), part="cut")
    async with delivering(engine, novu_standin) as made:
        yield made
    proxy.mend()
    await engine.dispose()


@pytest.mark.parametrize("answered", [True, False], ids=["answer lost", "question lost"])
@pytest.mark.parametrize("words", [HOLD, WORKFLOWS, SENT], ids=["hold", "fetch", "record"])
async def test_a_database_that_goes_away_loses_nothing(
    executor: Delivering, proxy: Proxy, db: Db, novu_standin: NovuStandIn, words: bytes, *, answered: bool
) -> None:
    """Whatever was not recorded lapses, and goes on under the same transaction id."""
    one = a_claimed(db)
    proxy.cut_at(words, answered=answered)

    with pytest.raises(StoreUnavailable):
        await executor.deliver(one)
    assert proxy.seen_cut.is_set()
    proxy.mend()
    found = row(db, one.notification_id)
    if found["send_until"] is not None:
        with pytest.raises(Unfinished):
            await executor.deliver(one)
        lapsed(db, one)
    if found["notification_status"] != "SENT":
        assert await executor.deliver(one) == [Status.SENT]

    kept = row(db, one.notification_id)
    assert (kept["notification_status"], kept["send_until"]) == ("SENT", None)
    assert (novu_standin.stats()["deliveries"], novu_standin.stats()["duplicates"]) == (1, 0)


@pytest.mark.parametrize("answered", [True, False], ids=["answer lost", "question lost"])
@pytest.mark.parametrize("words", [CUT, ANSWERED], ids=["cut", "answered"])
async def test_a_database_that_goes_away_between_chunks_loses_nothing(
    executor: Delivering, proxy: Proxy, db: Db, novu_standin: NovuStandIn, words: bytes, *, answered: bool
) -> None:
    """The chunk whose answer was not written is sent again under its own transaction id."""
    one = a_claimed(db, recipients=PEOPLE)
    proxy.cut_at(words, answered=answered)

    with pytest.raises((StoreUnavailable, Unfinished)):
        await executor.deliver(one)
    proxy.mend()
    if row(db, one.notification_id)["send_until"] is not None:
        lapsed(db, one)
    assert await executor.deliver(one) == [Status.SENT]

    stats = novu_standin.stats()
    assert (stats["deliveries"], stats["duplicates"]) == (150, 0)


async def test_a_mute_database_holds_nobody_who_is_cancelled(
    executor: Delivering, proxy: Proxy, db: Db, novu_standin: NovuStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half open: nothing is sent, the time limit of the activity gets through, and the pool is whole."""
    # What hangs is the question for the role: the hold has not gone out.
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


async def test_what_is_recorded_late_changes_nothing(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """A twin took the row over while Novu was slow: its hold is the newer one."""
    one = a_claimed(db)
    novu_standin.fault("slow", seconds=30)
    sending = asyncio.create_task(executor.deliver(one))
    await eventually(lambda: novu_standin.stats()["calls"] == 1)
    written(db, one.notification_id, send_until="2100-01-01T00:00Z")
    before = row(db, one.notification_id)
    novu_standin.clear_faults()

    await sending

    assert row(db, one.notification_id) == before


@pytest.mark.parametrize("kind", ["hang_before_accept", "reset_before_accept"])
async def test_in_an_outage_no_failure_is_counted(
    executor: Delivering, db: Db, novu_standin: NovuStandIn, kind: str
) -> None:
    """Five rows without an answer, together and then each alone, are Novu's fault: FAILED, due at the end of the pause."""
    attempts = [a_claimed(db, recipients=[f"s{i}"]) for i in range(5)]
    novu_standin.fault(kind, times=6, seconds=0.2)

    with pytest.raises(Unfinished):
        await executor.deliver(*attempts)
    endings = await executor.deliver(*attempts, last=True)

    assert endings == [Status.FAILED] * 5
    assert executor.gate.outage
    for one in attempts:
        kept = row(db, one.notification_id)
        assert (kept["notification_status"], kept["failure_count"]) == ("FAILED", 0)
        assert kept["unknown_outcomes"] == 2


@pytest.mark.parametrize("answered", [True, False], ids=["answer lost", "question lost"])
async def test_a_database_that_comes_back_in_time_is_waited_for(
    executor: Delivering, proxy: Proxy, db: Db, novu_standin: NovuStandIn, *, answered: bool
) -> None:
    """The outcome is written after all: nothing lapses, and nothing is sent again."""
    one = a_claimed(db)
    proxy.cut_at(SENT, answered=answered)

    delivering = asyncio.create_task(executor.deliver(one, limit=60))
    await asyncio.wait_for(proxy.seen_cut.wait(), 10)
    proxy.mend()

    # A write whose answer was lost is there already: its repeat finds itself late.
    assert await delivering == ([] if answered else [Status.SENT])
    kept = row(db, one.notification_id)
    assert (kept["notification_status"], kept["lapses"], kept["unknown_outcomes"]) == ("SENT", 0, 0)
    assert novu_standin.stats()["triggers"] == 1
