"""The cost of a claim with backlogs and histories of different sizes, compared with a plain SKIP LOCKED loop."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from statistics import median

import psycopg

from benchmarks.speed.measures.backlog import fresh, kept
from benchmarks.speed.scene import Figures, Scene
from xnovu_poller.lifecycle import Claim
from xnovu_poller.store.engine import Engine, connect
from xnovu_poller.store.notifications import by_hold
from xnovu_poller.store.notifications.claim import Cursor, Terms, claim
from xnovu_poller.store.notifications.due import NEW
from xnovu_poller.store.notifications.hold import hold
from xnovu_poller.store.notifications.queue import Queue
from xnovu_poller.store.notifications.verdict import Ending, Verdict

TERMS = Terms(prefix="bench", batch=100, group_size=1, max_in_flight=50_000, lease=timedelta(seconds=30))
"""The default terms, except for the bound: nothing stays in flight here."""

_ROOMY = Cursor(queue=Queue(most=1_000_000))
"""Some of the claims here are larger than any queue that a worker would have learnt by then."""

_SPAN = timedelta(seconds=15)
_PASSED_AT_ONCE = 1000

_SENT = """
UPDATE notify.ent_notification SET notification_status = 'SENT', processed_at = now(), lease_expires_at = NULL
WHERE id = ANY (%s)"""

# Insert as many rows as were claimed, so that the size of the backlog does not change.
_ANEW = """
INSERT INTO notify.ent_notification (enterprise_id, name, notification_workflow_id, recipients, payload)
SELECT enterprise_id, name, notification_workflow_id, recipients, payload
FROM notify.ent_notification WHERE id = ANY (%s)"""

# The same columns, one partial index, no condition and no trigger.
_RAW = """
CREATE TABLE raw (LIKE notify.ent_notification INCLUDING DEFAULTS INCLUDING IDENTITY, PRIMARY KEY (id));
INSERT INTO raw OVERRIDING SYSTEM VALUE SELECT * FROM notify.ent_notification;
CREATE INDEX ON raw (id) WHERE notification_status = 'PENDING';
"""
_RAW_CLAIM = """
UPDATE raw SET notification_status = 'PROCESSING', attempt = raw.attempt + 1
FROM (
    SELECT id FROM raw WHERE notification_status = 'PENDING' ORDER BY id LIMIT 100 FOR UPDATE SKIP LOCKED
) AS due
WHERE raw.id = due.id RETURNING raw.id, raw.attempt, raw.enterprise_id"""
_RAW_DONE = "UPDATE raw SET notification_status = 'SENT', processed_at = now() WHERE id = ANY (%s)"


async def measure(scene: Scene) -> Figures:
    """Time claims of 100 rows, and the claims with their record."""
    sizes = scene.sizes
    beside = {
        "claim_ms_10k": await kept(scene, "claims_10k", due=sizes.due_small),
        "claim_ms_1m": await kept(scene, "claims_1m", due=sizes.due_large),
        "claim_ms_history": await kept(scene, "claims_history", due=sizes.due_small, sent=sizes.history),
    }
    figures = await _steady(scene, beside)
    figures["claim_ms_old_snapshot"] = await _under_an_old_snapshot(scene)
    return figures | await _beside_raw(scene)


async def _steady(scene: Scene, urls: Mapping[str, str]) -> Figures:
    """Return the median milliseconds of a claim in backlogs of constant size; alternate them, so that noise hits all alike."""
    times: dict[str, list[float]] = {name: [] for name in urls}
    async with AsyncExitStack() as stack:
        turns = {name: await stack.enter_async_context(_claiming(url)) for name, url in urls.items()}
        producers = {
            name: stack.enter_context(psycopg.connect(url, autocommit=True)) for name, url in urls.items()
        }
        for _ in range(_warmed(scene.sizes.claims)):
            for name, turn in turns.items():
                claims, took = await turn(TERMS)
                ids = [claimed.notification_id for claimed in claims]
                producers[name].execute(_SENT, [ids])
                producers[name].execute(_ANEW, [ids])
                times[name].append(took)
    return {name: 1000 * median(took[-scene.sizes.claims :]) for name, took in times.items()}


async def _under_an_old_snapshot(scene: Scene) -> float:
    """Return the same while a session holds an old snapshot, so that vacuum cannot remove the dead rows since."""
    sizes = scene.sizes
    url = await fresh(
        scene, "claims_snapshot", due=sizes.passed_rows + 2 * TERMS.batch * _warmed(sizes.claims)
    )
    with psycopg.connect(url) as old, psycopg.connect(url, autocommit=True) as executor:
        old.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        old.execute("SELECT FROM notify.ent_notification LIMIT 1")
        async with _claiming(url) as turn:
            for _ in range(sizes.passed_rows // _PASSED_AT_ONCE):
                claims, _ = await turn(replace(TERMS, batch=_PASSED_AT_ONCE))
                executor.execute(_SENT, [[claimed.notification_id for claimed in claims]])
        times = list[float]()
        async with _claiming(url) as turn:
            for _ in range(_warmed(sizes.claims)):
                claims, took = await turn(TERMS)
                executor.execute(_SENT, [[claimed.notification_id for claimed in claims]])
                times.append(took)
    return 1000 * median(times[-sizes.claims :])


async def _beside_raw(scene: Scene) -> Figures:
    """Return rows per second of claim and record, ours and raw, in turns; the holds in between are not timed."""
    batches = scene.sizes.claims
    url = await fresh(scene, "claims_record", due=300 * batches)
    with psycopg.connect(url) as owner:
        owner.execute(_RAW)
    scene.settle(url)
    engine, cursor = (
        connect(url.replace("postgresql:", "postgresql+psycopg:", 1), part="bench", size=1),
        _ROOMY,
    )
    ours, raw = list[float](), list[float]()
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as plain:
        for _ in range(_warmed(batches)):
            took, cursor = await _claim_and_record(engine, cursor)
            ours.append(took)
            raw.append(await _raw_claim_and_record(plain))
    await engine.dispose()
    return {
        "claim_record_rows_s": TERMS.batch / median(ours[-batches:]),
        "raw_rows_s": TERMS.batch / median(raw[-batches:]),
    }


async def _claim_and_record(engine: Engine, cursor: Cursor) -> tuple[float, Cursor]:
    began = time.perf_counter()
    claims, cursor = await claim(engine, NEW, TERMS, cursor)
    took = time.perf_counter() - began
    holding = await hold(engine, [claimed.attempt for claimed in claims], deadline=_SPAN)
    began = time.perf_counter()
    sent = await by_hold.record_sent(engine, [Verdict(Ending.SENT, held) for held in holding.held])
    _all_of(TERMS.batch, len(sent))
    return took + time.perf_counter() - began, cursor


async def _raw_claim_and_record(connection: psycopg.AsyncConnection) -> float:
    began = time.perf_counter()
    found = await (await connection.execute(_RAW_CLAIM)).fetchall()
    await connection.execute(_RAW_DONE, [[row[0] for row in found]])
    _all_of(TERMS.batch, len(found))
    return time.perf_counter() - began


Turn = Callable[[Terms], Awaitable[tuple[list[Claim], float]]]


@asynccontextmanager
async def _claiming(url: str) -> AsyncIterator[Turn]:
    """Yield a function that claims once, as a loop does, and returns the claims with the seconds that it took."""
    engine: Engine = connect(url.replace("postgresql:", "postgresql+psycopg:", 1), part="bench", size=1)
    cursor = _ROOMY

    async def turn(terms: Terms) -> tuple[list[Claim], float]:
        nonlocal cursor
        began = time.perf_counter()
        claims, cursor = await claim(engine, NEW, terms, cursor)
        took = time.perf_counter() - began
        _all_of(terms.batch, len(claims))
        return claims, took

    try:
        yield turn
    finally:
        await engine.dispose()


def _warmed(claims: int) -> int:
    # PostgreSQL keeps the plan of a statement only after it was executed ten times.
    return claims + 50


def _all_of(wanted: int, found: int) -> None:
    if wanted != found:
        raise RuntimeError(
            f"claims: got {found} rows instead of {wanted}, so the measured time is not comparable"
        )
