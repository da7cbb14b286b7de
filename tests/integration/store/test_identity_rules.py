"""The rules of a copy: they would fire beside the original's, so they are only applied after a decision."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.rows import Db, a_rule, a_workflow
from xnovu_poller.errors import DeploymentDisputed
from xnovu_poller.lifecycle import RuleStatus
from xnovu_poller.store import chores, firing, identity, rules
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.rules import RuleState


@pytest.mark.parametrize("answer", [identity.new_deployment, identity.keep_deployment], ids=["new", "keep"])
async def test_a_copy_with_only_rules_is_disputed(
    engine: Engine, db: Db, answer: Callable[[Engine], Awaitable[object]]
) -> None:
    """It would fire beside the original; after a person's decision it goes on with its rules."""
    made = a_rule(db, workflow=a_workflow(db))
    before = await identity.read_deployment(engine)
    db.execute("UPDATE notify.deployment SET database = 'another'")
    with pytest.raises(DeploymentDisputed, match="rows came from another"):
        await identity.read_deployment(engine)

    await answer(engine)

    after = await identity.read_deployment(engine)
    assert (after.id == before.id) is (answer is identity.keep_deployment)
    assert [rule.id for rule in await rules.read_all(engine)] == [made]


async def test_the_rules_of_a_copy_are_applied_again(engine: Engine, db: Db) -> None:
    """Its schedules were the original's; past firings stay recorded, and no chore has run here."""
    workflow = a_workflow(db)
    once, broken, fresh = (
        a_rule(db, workflow=workflow, **kind) for kind in ({"trigger_type": "SCHEDULE"}, {}, {})
    )
    at = datetime(2030, 1, 1, tzinfo=UTC)
    await firing.fire(engine, once, "k", at)
    await rules.record_states(engine, [RuleState(broken, RuleStatus.INVALID, "rule: cron: it has 4 fields")])
    await chores.record(engine, "rules", timedelta(0), {})

    await identity.new_deployment(engine)

    found = await rules.read_all(engine)
    assert [(rule.id, rule.status, rule.error, rule.done_for) for rule in found] == [
        (once, None, None, at),
        (broken, None, None, None),
        (fresh, None, None, None),
    ]
    assert found[0].last_outcome == "created"
    assert await chores.read_all(engine) == []
