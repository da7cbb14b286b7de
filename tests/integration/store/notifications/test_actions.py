"""What a person does with notifications: whole batches, the effect on each, and a line that counts them."""

from collections.abc import AsyncIterator, Sequence

from tests.support.rows import Db, a_notification, row, written
from xnovu_poller.lifecycle import Status
from xnovu_poller.store import audit
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications.actions import (
    Effect,
    build_retract,
    build_revive,
    change_all,
    describe_act,
    read_ids,
)
from xnovu_poller.store.notifications.filters import Filters
from xnovu_poller.store.notifications.walk import count


async def test_what_matches_is_changed_and_counted(engine: Engine, db: Db) -> None:
    """The filters that were counted choose the rows; what another session has inserted since is not among them."""
    chosen = [a_notification(db, enterprise_id="acme") for _ in range(3)]
    other = a_notification(db, enterprise_id="globex")
    action = build_retract("wrong text")
    counted, frozen = await count(engine, Filters(enterprise="acme", states=action.default))
    late = a_notification(db, enterprise_id="acme")
    line = await audit.start(engine, describe_act(action, "ann", frozen, counted.total, via="page"))
    effects: dict[int, Effect] = {}
    async for batch in change_all(engine, action, line, read_ids(engine, frozen), frozen.wanted):
        effects |= batch
    assert {id_: effect.sentence for id_, effect in effects.items()} == dict.fromkeys(chosen, "RETRACTED")
    assert [row(db, id_)["notification_status"] for id_ in (other, late)] == ["PENDING"] * 2
    (found,) = db.execute("SELECT *, finished_at IS NOT NULL AS is_finished FROM notify.ent_audit")
    wanted = ("retract", "ann", "acme", "wrong text", 3, 3, True)
    names = ("action", "actor", "enterprise_id", "reason", "counted", "changed", "is_finished")
    assert tuple(found[name] for name in names) == wanted
    assert (found["filters"]["via"], "until" in found["filters"]) == ("page", True)


async def test_what_stays_as_it_is_has_a_reason(engine: Engine, db: Db) -> None:
    """A notification that Novu may have accepted and forgotten, another state, and an id that does not exist."""
    old = a_notification(db, status=Status.DEAD)
    written(db, old, unknown_outcomes=1, processed_at="2026-01-01T00:00Z")
    pending = a_notification(db)
    ids = [old, pending, 10**9]
    action = build_revive(force=False)
    line = await audit.start(engine, describe_act(action, "ann", Filters(), len(ids), ids=ids))
    effects: dict[int, Effect] = {}
    async for batch in change_all(engine, action, line, _once(ids), action.states):
        effects |= batch
    assert {id_: effect.word for id_, effect in effects.items()} == {
        old: "doubtful",
        pending: "unfit",
        10**9: "missing",
    }
    assert [action.preview(status).word for status in (Status.DEAD, Status.SENT, None)] == [
        "fit",
        "unfit",
        "missing",
    ]


async def _once(ids: Sequence[int]) -> AsyncIterator[Sequence[int]]:
    yield ids
