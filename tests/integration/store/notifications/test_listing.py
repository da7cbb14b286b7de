"""The list of notifications: its order, its filters, and its parts."""

import pytest
from sqlalchemy import text

from tests.support.filtered import by_each_filter, in_every_state
from tests.support.rows import Db, a_notification, a_workflow, back_dated, open_db, row, unguarded, written
from xnovu_poller.lifecycle import Status
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications import listing
from xnovu_poller.store.notifications.filters import LATEST, Filters
from xnovu_poller.store.notifications.listing import Listing, Position, list_page


async def listed(engine: Engine, filters: Filters, limit: int = 1000) -> list[int]:
    """Return the ids of the first part of a list."""
    return [found.id for found in (await list_page(engine, filters, limit)).notifications]


async def test_the_newest_come_first_whatever_their_state_and_enterprise(
    any_engine: Engine, any_database: str
) -> None:
    """Any combination of states and an enterprise is a part of the same list."""
    with open_db(any_database) as db:
        made = in_every_state(db)
    newest = sorted(made, reverse=True)

    assert await listed(any_engine, Filters()) == newest
    for enterprise in ("acme", "Ölwerk", None, "nobody"):
        for states in ((Status.DEAD,), (Status.PROCESSING,), (Status.SENT, Status.PROCESSING), ()):
            wanted = [
                id_
                for id_ in newest
                if enterprise in {None, made[id_][0]} and (not states or made[id_][1] in states)
            ]
            assert await listed(any_engine, Filters(enterprise=enterprise, states=states)) == wanted


async def test_each_filter_finds_its_notification(engine: Engine, db: Db) -> None:
    """Two filters that different notifications fit find none."""
    made = by_each_filter(db)

    for id_, filters in made.items():
        assert await listed(engine, filters) == [id_], filters
    assert await listed(engine, Filters(code="poison", tag="campaign-7")) == []
    assert await listed(engine, Filters(until=next(f.since for f in made.values() if f.since))) == sorted(
        list(made)[:-1], reverse=True
    )


async def test_a_list_continues_where_a_part_ended(engine: Engine, db: Db) -> None:
    """No notification is left out or comes twice, although all were inserted at the same time."""
    db.execute(
        "INSERT INTO notify.ent_notification (enterprise_id, name, recipients)"
        " SELECT 'e' || i % 3, 'n', '{s}' FROM generate_series(1, 450) AS i"
    )
    parts: list[Listing] = []
    after: Position | None = None
    while not parts or after is not None:
        parts.append(await list_page(engine, Filters(), 90, after))
        after = parts[-1].after

    assert [found.id for part in parts for found in part.notifications] == list(range(450, 0, -1))
    assert len(parts) == 5
    assert await listed(engine, Filters(enterprise="e1")) == list(range(448, 0, -3))


@pytest.mark.parametrize(
    ("filters", "size"),
    [
        (Filters(tag="none"), listing.BLOCK),
        (Filters(tag="none", enterprise="acme"), listing.LARGE_PAGE),
        (Filters(tag="none", states=(Status.PENDING,)), listing.LARGE_PAGE),
        (Filters(tag="none", until=LATEST), listing.PAGE),
    ],
)
async def test_a_list_ends_in_time_if_nothing_fits(
    engine: Engine, db: Db, filters: Filters, size: int
) -> None:
    """It can be continued behind the rows that were compared."""
    db.execute(
        "INSERT INTO notify.ent_notification (enterprise_id, name, recipients)"
        " SELECT 'acme', 'n', '{s}' FROM generate_series(1, %s) AS i",
        [size + 50],
    )

    first = await list_page(engine, filters, 10, seconds=0)
    assert (first.notifications, first.compared, first.after and first.after.id) == ([], size, 51)
    second = await list_page(engine, filters, 10, first.after, seconds=0)
    assert second == Listing([], None, 50)


async def test_a_list_ends_where_older_rows_cannot_fit(
    engine: Engine, db: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of a transaction that lasted a while have larger ids than their times, so it looks a bit further."""
    monkeypatch.setattr(listing, "BLOCK", 1)
    monkeypatch.setattr(listing, "_BLOCK", text(listing._BY_ID.format(size=1)))
    made = [a_notification(db) for _ in range(5)]
    with unguarded(db):
        for id_ in made[:2]:
            back_dated(db, id_, 2 * listing.LONGEST_INSERT, "created_at")
        back_dated(db, made[3], listing.LONGEST_INSERT / 2, "created_at")

    found = await list_page(engine, Filters(since=row(db, made[2])["created_at"]), 10)

    assert [each.id for each in found.notifications] == [made[4], made[2]]
    assert (found.after, found.compared) == (None, 4)


async def test_a_line_shows_the_workflow_the_first_recipient_and_the_reason(engine: Engine, db: Db) -> None:
    """A notification without a workflow has its line too."""
    made = a_notification(
        db, workflow=a_workflow(db, key="evacuate"), status=Status.DEAD, recipients=["a", "b"]
    )
    written(db, made, error_details={"code": "poison", "message": "delivery: its sender died"})
    a_notification(db)

    plain, dead = (await list_page(engine, Filters(), 10)).notifications

    assert (plain.workflow_key, plain.code, plain.message) == (None, None, None)
    assert (dead.id, dead.status, dead.workflow_key) == (made, Status.DEAD, "evacuate")
    assert (dead.recipient, dead.recipient_count) == ("a", 2)
    assert (dead.code, dead.message) == ("poison", "delivery: its sender died")
