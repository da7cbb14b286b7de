"""A walk reaches each notification that matches once, in slices, even if others write."""

from datetime import timedelta

import pytest

from tests.support.filtered import by_each_filter, in_every_state
from tests.support.rows import Db, a_notification, back_dated, unguarded, written
from xnovu_poller.lifecycle import Status
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications import walk as module
from xnovu_poller.store.notifications.filters import Filters
from xnovu_poller.store.notifications.walk import SLICE, count, walk

MANY = """
INSERT INTO notify.ent_notification (enterprise_id, name, recipients, tags)
SELECT 'e' || i %% 7, 'n', '{s}', CASE WHEN i %% 10 = 0 THEN '{ten}'::text[] END FROM generate_series(1, %s) AS i"""


async def ids_of(engine: Engine, filters: Filters) -> list[int]:
    """Return all ids of a walk."""
    return [id_ async for part in walk(engine, filters) for id_ in part.ids]


async def test_a_walk_reaches_each_state_and_enterprise(engine: Engine, db: Db) -> None:
    """Or those that are wanted."""
    made = in_every_state(db)

    assert sorted(await ids_of(engine, Filters())) == sorted(made)
    for enterprise in ("Ölwerk", None, "nobody"):
        for states in ((Status.DEAD, Status.PROCESSING), (Status.SENT,)):
            wanted = [
                id_
                for id_, (owner, status) in made.items()
                if enterprise in {None, owner} and status in states
            ]
            assert sorted(await ids_of(engine, Filters(enterprise=enterprise, states=states))) == wanted


async def test_a_walk_has_the_filters_of_a_list(engine: Engine, db: Db) -> None:
    """All of them."""
    for id_, filters in by_each_filter(db).items():
        assert await ids_of(engine, filters) == [id_], filters


async def test_a_walk_goes_on_behind_each_slice(engine: Engine, db: Db) -> None:
    """Although all were inserted at the same time, and the slices end in the middle of an enterprise."""
    db.execute(MANY, [2 * SLICE + 500])

    sizes = [len(part.ids) async for part in walk(engine, Filters(states=(Status.PENDING,)))]
    assert sizes == [SLICE, SLICE, 500]
    found = await ids_of(engine, Filters())
    assert len(found) == len(set(found)) == 2 * SLICE + 500
    assert await ids_of(engine, Filters(enterprise="e3", tag="ten")) == [
        id_ for id_ in range(1, 2 * SLICE + 501) if id_ % 70 == 10
    ]


async def test_a_count_has_states_and_enterprises(engine: Engine, db: Db) -> None:
    """What is inserted or dies after it does not match its filters any more."""
    in_every_state(db)
    pending = a_notification(db)

    counted, bounded = await count(engine, Filters(states=(Status.DEAD, Status.SENT)))
    assert (counted.total, counted.is_complete) == (6, True)
    assert counted.by_state == {Status.DEAD: 3, Status.SENT: 3}
    assert counted.by_enterprise == {"acme": 2, "Ölwerk": 2, "zeta": 2}

    a_notification(db, status=Status.DEAD)
    with unguarded(db):
        written(db, pending, notification_status="DEAD")
        back_dated(db, pending, timedelta(0), "updated_at")
    assert len(await ids_of(engine, bounded)) == 6
    assert (await count(engine, Filters(states=(Status.DEAD,))))[0].total == 5


@pytest.mark.parametrize("bound", ["MOST_COUNTED", "MOST_COMPARED"])
async def test_a_count_stops_at_its_bound(
    engine: Engine, db: Db, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    """And reports that there are more."""
    monkeypatch.setattr(module, bound, SLICE)
    db.execute(MANY, [SLICE + 1])

    counted, _ = await count(engine, Filters(states=(Status.PENDING,)))
    assert (counted.total, counted.is_complete) == (SLICE, False)
