"""What a person does with pauses."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from tests.support.rows import Db
from xnovu_poller.store import pausing
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.pauses import Paused


async def test_each_act_leaves_a_line(db: Db, engine: Engine) -> None:
    """An act that changes nothing leaves none."""
    paused = Paused("acme", "order-shipped")
    over = datetime.now(UTC) - timedelta(hours=1)
    assert not await pausing.pause(engine, paused, reason="why", actor="ann", ends_at=over)
    assert await pausing.resume(engine, paused, actor="ann") is None

    assert await pausing.pause(engine, paused, reason="why", actor="ann")
    ended = await pausing.resume(engine, paused, actor="bob")

    assert ended is not None
    assert ended.paused_by.endswith("(ann)")
    lines = db.execute("SELECT action, actor, reason, filters FROM notify.ent_audit ORDER BY id").fetchall()
    workflow = {"workflow": "order-shipped"}
    assert lines == [
        {"action": "pause", "actor": "ann", "reason": "why", "filters": workflow},
        {"action": "resume", "actor": "bob", "reason": None, "filters": workflow},
    ]


async def test_an_act_without_its_line_is_not_done(db: Db, engine: Engine) -> None:
    """The audit refuses a name that is too long, and nothing is paused or resumed."""
    with pytest.raises(IntegrityError):
        await pausing.pause(engine, Paused(), reason="why", actor="a" * 256)
    assert db.execute("SELECT FROM notify.pause").rowcount == 0

    assert await pausing.pause(engine, Paused(), reason="why", actor="ann")
    with pytest.raises(IntegrityError):
        await pausing.resume(engine, Paused(), actor="a" * 256)
    assert db.execute("SELECT FROM notify.pause").rowcount == 1
