"""The enterprises as the operator's page lists them."""

from tests.support.rows import Db, a_notification, a_workflow
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.enterprise_states import PAGE, list_enterprises


async def test_each_enterprise_is_listed_once_in_the_order_of_bytes(db: Db, engine: Engine) -> None:
    """Whether a notification, a limit, a name or a pause is all that is known of it."""
    workflow = a_workflow(db)
    for name in ("zeta", "Alpha", "beta", "beta"):
        a_notification(db, enterprise=name, workflow=workflow)
    db.execute(
        "INSERT INTO notify.ent_enterprise (enterprise_id, name) VALUES ('named', 'Name'), ('beta', 'B')"
    )
    db.execute("INSERT INTO notify.ent_enterprise_limit (enterprise_id, burst) VALUES ('limited', 7)")
    db.execute(
        "INSERT INTO notify.pause (enterprise_id, workflow_key, reason) VALUES ('paused', NULL, 'why'), ('zeta', 'a', 'no')"
    )

    found, after = await list_enterprises(engine)

    assert [each.id for each in found] == ["Alpha", "beta", "limited", "named", "paused", "zeta"]
    assert after is None
    by_id = {each.id: each for each in found}
    assert (by_id["beta"].name, by_id["beta"].pending, by_id["limited"].burst) == ("B", 2, 7)
    assert (by_id["paused"].pause is not None, by_id["zeta"].pause) == (True, None)
    assert [each.id for each in (await list_enterprises(engine, prefix="b"))[0]] == ["beta"]
    assert await list_enterprises(engine, prefix="none") == ([], None)


async def test_pages_follow_each_other_and_counts_are_of_the_last_day(db: Db, engine: Engine) -> None:
    """No enterprise is on two pages, and none is left out."""
    db.execute(
        "INSERT INTO notify.ent_enterprise (enterprise_id) SELECT 'e' || to_char(n, 'FM000') FROM generate_series(1, %s) n",
        [2 * PAGE],
    )
    with db.transaction():
        db.execute("SET LOCAL session_replication_role = replica")
        for status, age in (("SENT", 1), ("SENT", 30), ("DEAD", 2)):
            db.execute(
                "INSERT INTO notify.ent_notification (enterprise_id, name, recipients, notification_status, created_at)"
                " VALUES ('e001', 'a', '{s}', %s, now() - make_interval(hours => %s))",
                [status, age],
            )

    first, after = await list_enterprises(engine)
    second, end = await list_enterprises(engine, after=after or "")

    assert len({each.id for each in (*first, *second)}) == 2 * PAGE
    assert (len(first), len(second), end) == (PAGE, PAGE, None)
    assert (first[0].sent, first[0].dead, first[0].pending) == (1, 1, 0)
