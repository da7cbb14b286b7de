"""Actions on many notifications run two at a time; those that are short do not wait."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from starlette.exceptions import HTTPException

from tests.support.rows import Db, a_notification
from tests.support.waiting import eventually
from xnovu_poller.lifecycle import Status
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications.actions import build_retract, describe_act
from xnovu_poller.store.notifications.filters import Filters
from xnovu_poller.web.page import acts as module
from xnovu_poller.web.page.acts import MOST_AT_ONCE, Acts


async def test_an_action_waits_for_its_turn(engine: Engine, db: Db, monkeypatch: pytest.MonkeyPatch) -> None:
    """It begins when another has ended; if too many wait, the next is refused, and leaves no line in the audit."""
    monkeypatch.setattr(module, "MOST_WAITING", 1)
    made = [a_notification(db) for _ in range(MOST_AT_ONCE + 2)]
    go_on = asyncio.Event()
    acts, action = Acts(), build_retract("wrong text")

    async def ids(id_: int) -> AsyncIterator[Sequence[int]]:
        await go_on.wait()
        yield [id_]

    async def start(id_: int, *, at_once: bool = False) -> int:
        act = describe_act(action, "ann", Filters(), 1)
        return await acts.start(engine, action, act, ids(id_), (Status.PENDING,), at_once=at_once)

    *running, last = [await start(id_) for id_ in made[:-1]]
    await eventually(lambda: acts.is_waiting(last))
    assert not any(map(acts.is_waiting, running))
    with pytest.raises(HTTPException, match="wait already"):
        await start(made[-1])
    short = await start(made[-1], at_once=True)
    assert not acts.is_waiting(short)

    go_on.set()
    for line in (short, *running, last):
        await acts.finish(line)
    changed = db.execute("SELECT id, changed FROM notify.ent_audit ORDER BY id").fetchall()
    assert changed == [{"id": line, "changed": 1} for line in (*running, last, short)]
