"""The rules that a comparison looks at: the changes in turn, all versions, and the limits of enterprises."""

from datetime import timedelta

from tests.support.rows import Db, a_rule, a_workflow, open_db, rewritten
from xnovu_poller.lifecycle import RuleStatus
from xnovu_poller.store import comparison, rules
from xnovu_poller.store.comparison import Allowance, find_unfollowed
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.rules import RuleState

SHARE = 20


def many(db: Db, count: int, enterprise: str, workflow: int) -> list[int]:
    """Insert rules in one statement; return their ids."""
    inserted = db.execute(
        "INSERT INTO notify.ent_notification_rule (enterprise_id, name, notification_workflow_id, trigger_type)"
        " SELECT %s, 'r', %s, 'CRON' FROM generate_series(1, %s) RETURNING id",
        [enterprise, workflow, count],
    )
    return [found["id"] for found in inserted.fetchall()]


async def unfollowed(engine: Engine, without: tuple[int, ...] = (), after: str = "") -> list[int]:
    """Return the changes in their order."""
    found = await find_unfollowed(engine, without=without, excluded=(), after=after)
    return [rule_id for rule_id, _ in found]


async def test_the_changes_of_all_enterprises_come_in_turn(any_engine: Engine, any_database: str) -> None:
    """Each has its oldest first and a share of them, however many another has."""
    with open_db(any_database) as db:
        workflow = a_workflow(db)
        flood = many(db, 3000, "acme", workflow)
        other = [a_rule(db, workflow=workflow, enterprise="globex") for _ in range(2)]
        third = a_rule(db, workflow=workflow, enterprise="initech")

    assert await unfollowed(any_engine) == [flood[0], other[0], third, flood[1], other[1], *flood[2:SHARE]]
    assert (await unfollowed(any_engine, after="acme"))[:4] == [other[0], third, flood[0], other[1]]
    assert (await unfollowed(any_engine, without=(flood[0], third)))[:4] == [
        flood[1],
        other[0],
        flood[2],
        other[1],
    ]
    excluding = await find_unfollowed(any_engine, without=(), excluded=["acme"], after="")
    assert excluding == [(other[0], "globex"), (third, "initech"), (other[1], "globex")]


async def test_a_change_is_found_until_its_version_is_recorded(engine: Engine, db: Db) -> None:
    """A change that came after the reading is found again; the worker's own records are no change."""
    made = a_rule(db, workflow=a_workflow(db))
    read = await rules.read(engine, made)
    assert read is not None
    assert not read.is_followed
    rewritten(db, made, name="changed meanwhile")

    state = RuleState(made, RuleStatus.SCHEDULED, followed_at=read.updated_at)
    assert await rules.record_states(engine, [state]) == {made}
    assert await unfollowed(engine) == [made]

    read = await rules.read(engine, made)
    assert read is not None
    state = RuleState(made, RuleStatus.PAUSED, followed_at=read.updated_at)
    assert await rules.record_states(engine, [state]) == {made}
    assert await unfollowed(engine) == []
    found = await rules.read(engine, made)
    assert found is not None
    assert found.is_followed
    assert await rules.record_states(engine, [state]) == set()
    rewritten(db, made, priority=9)
    assert await unfollowed(engine) == [made]


async def test_versions_are_read_beyond_a_page(engine: Engine, db: Db) -> None:
    """By id; what a tenant wrote is not read."""
    made = many(db, 5001, "acme", a_workflow(db))

    found = [each async for each in comparison.read_versions(engine)]

    assert [rule_id for rule_id, *_ in found] == made
    _, enterprise, version = found[0]
    assert (enterprise, version.is_followed, version.status, version.done_for) == ("acme", False, None, None)


async def test_an_allowance_names_the_last_rule_that_is_served(engine: Engine, db: Db) -> None:
    """Done rules do not count; an enterprise within the limit has none."""
    workflow = a_workflow(db)
    made = many(db, 4, "acme", workflow)
    many(db, 2, "globex", workflow)
    await rules.record_states(engine, [RuleState(made[1], RuleStatus.DONE)])

    few, more = [await comparison.read_allowances(engine, most) for most in (2, 3)]

    assert {key: allowance.last_id for key, allowance in few.items()} == {"acme": made[2], "globex": None}
    assert {key: allowance.last_id for key, allowance in more.items()} == {"acme": None, "globex": None}


async def test_an_allowance_has_the_firings_that_the_scheduled_rules_leave(engine: Engine, db: Db) -> None:
    """Rules that are not scheduled use none; without a limit of its own, an enterprise may have 120 a minute."""
    made = many(db, 3, "acme", a_workflow(db))
    await rules.record_states(
        engine,
        [
            RuleState(made[0], RuleStatus.SCHEDULED, hourly_firings=60),
            RuleState(made[1], RuleStatus.SCHEDULED, hourly_firings=1),
            RuleState(made[2], RuleStatus.PAUSED),
        ],
    )
    assert await comparison.read_allowances(engine, 9) == {"acme": Allowance(120, 7139)}

    db.execute(
        "INSERT INTO notify.ent_enterprise_limit (enterprise_id, firings) VALUES ('acme', 1), ('new', 5)"
    )
    assert await comparison.read_allowances(engine, 9) == {"acme": Allowance(1, -1), "new": Allowance(5, 300)}

    db.execute("UPDATE notify.ent_notification_rule SET rule_status = 'DONE'")
    assert (await comparison.read_allowances(engine, 9))["acme"] == Allowance(1, 60)


async def test_a_config_beyond_the_limit_is_not_read(engine: Engine, db: Db, database: str) -> None:
    """Such a row is from before the limit; a change of it has to keep the limit."""
    made = a_rule(db, workflow=a_workflow(db))
    with open_db(database) as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute(
            "UPDATE notify.ent_notification_rule SET trigger_config = jsonb_build_object('cron', repeat('x', 3000))"
        )

    found = await rules.read(engine, made)

    assert found is not None
    assert (found.too_long, found.config) == (True, {})
    assert "more than 2048 bytes" in (found.config_fault or "")
    rewritten(db, made, name="other", expires_after=timedelta(days=1))
