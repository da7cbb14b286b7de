"""Which notifications of a claim share a run."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

from tests.support.rows import Db, notifications, written
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications.claim import Cursor, Terms, claim
from xnovu_poller.store.notifications.due import NEW

TERMS = Terms(prefix="abc", batch=30, group_size=4, max_in_flight=10_000, lease=timedelta(seconds=30))


async def test_groups_of_a_claim_share_a_run(engine: Engine, db: Db) -> None:
    """Groups of four out of ten rows; rows of the same enterprise stay together."""
    notifications(db, 5, enterprise="acme")
    notifications(db, 5, enterprise="globex")

    claims, _ = await claim(engine, NEW, replace(TERMS, batch=10), Cursor())

    sizes = Counter(claimed.run_id for claimed in claims)
    assert sorted(sizes.values()) == [2, 4, 4]
    assert all(name.startswith("abc-notifications-") for name in sizes)
    mixed = {claimed.run_id: set[str]() for claimed in claims}
    for claimed in claims:
        mixed[claimed.run_id].add(claimed.enterprise_id)
    assert sorted(map(len, mixed.values())) == [1, 1, 2]


async def test_a_claim_of_few_rows_shares_no_run(engine: Engine, db: Db) -> None:
    """Each has a run of its own as long as the deployment keeps up; more rows in a claim are a backlog."""
    terms = replace(TERMS, grouped_from=4)

    notifications(db, 3)
    few, cursor = await claim(engine, NEW, terms, Cursor())
    notifications(db, 4)
    many, _ = await claim(engine, NEW, terms, cursor)

    assert {each.run_id for each in few} == {f"abc-notification-{each.notification_id}-1" for each in few}
    assert len({each.run_id for each in many}) == 1


async def test_a_claim_that_got_all_it_was_allowed_shares_a_run(engine: Engine, db: Db) -> None:
    """More rows may wait: the batch, the gate or the deployment allowed no more. A single row has nobody to share with."""
    notifications(db, 2 + 2 + 1)
    terms = replace(TERMS, grouped_from=5)
    runs = list[list[str]]()
    for bounded in (
        replace(terms, batch=2),
        replace(terms, max_in_flight=4),
        replace(terms, max_in_flight=5),
    ):
        claims, _ = await claim(engine, NEW, bounded, Cursor())
        runs.append(sorted(claimed.run_id.split("-")[1] for claimed in claims))
        assert len({claimed.run_id for claimed in claims}) == 1

    assert runs == [["notifications"] * 2, ["notifications"] * 2, ["notification"]]


async def test_two_claims_never_share_a_run(engine: Engine, db: Db) -> None:
    """A group belongs to one claim; otherwise its start would find the other's run."""
    notifications(db, 8)
    terms = replace(TERMS, batch=4)

    first, cursor = await claim(engine, NEW, terms, Cursor())
    second, _ = await claim(engine, NEW, terms, cursor)

    names = [{claimed.run_id for claimed in claims} for claims in (first, second)]
    assert [len(each) for each in names] == [1, 1]
    assert names[0].isdisjoint(names[1])


async def test_a_row_that_lapsed_has_its_own_run(engine: Engine, db: Db) -> None:
    """So that it cannot take its group with it."""
    ids = notifications(db, 4)
    written(db, ids[1], lapses=1)

    claims, _ = await claim(engine, NEW, TERMS, Cursor())

    names = {claimed.notification_id: claimed.run_id for claimed in claims}
    assert names[ids[1]] == f"abc-notification-{ids[1]}-1"
    assert len({names[made] for made in ids if made != ids[1]}) == 1
