"""The rules in the database: read, recorded, fired, deactivated, checked."""

from datetime import UTC, datetime

from tests.support.rows import Db, a_rule, a_single_rule, a_workflow, open_db, rewritten, rule_row
from xnovu_poller.lifecycle import FireOutcome, RuleStatus, RuleTrigger
from xnovu_poller.store import firing, rules
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.rules import Rule, RuleProblem, RuleState

AT = datetime(2030, 1, 1, 9, tzinfo=UTC)


async def test_every_rule_is_read_by_id(engine: Engine, db: Db) -> None:
    """In any number, of each enterprise and kind; a rule that was never applied has no status."""
    workflow = a_workflow(db)
    first = a_rule(db, workflow=workflow)
    once = a_single_rule(db, workflow=workflow, enterprise="globex", publish_status="DRAFT")
    off = a_rule(db, workflow=workflow, deactivated=True, name="n" * 300)
    db.execute(
        "INSERT INTO notify.ent_notification_rule (enterprise_id, name, notification_workflow_id, trigger_type)"
        " SELECT 'acme', 'r', %s, 'CRON' FROM generate_series(1, 3000)",
        [workflow],
    )

    found = await rules.read_all(engine)

    assert [listed.id for listed in found] == sorted(listed.id for listed in found)
    assert len(found) == 3003
    assert await rules.read_some(engine, [found[9].id, found[2].id, 10**12]) == [found[2], found[9]]
    config = {"cron": "0 9 * * *", "timezone": "UTC"}
    assert found[0] == Rule(
        id=first,
        enterprise_id="acme",
        name="daily",
        workflow_id=workflow,
        trigger=RuleTrigger.CRON,
        config=config,
        active=True,
        status=None,
        error=None,
        done_for=None,
        last_fired_at=None,
        last_outcome=None,
        updated_at=rule_row(db, first)["updated_at"],
        recent=True,
    )
    by_id = {rule.id: rule for rule in found}
    assert (by_id[once].trigger, by_id[once].enterprise_id, by_id[once].active) == (
        RuleTrigger.SCHEDULE,
        "globex",
        False,
    )
    assert (by_id[off].active, len(by_id[off].name)) == (False, 255)


async def test_a_rule_is_read_with_its_outcome(engine: Engine, db: Db) -> None:
    """None, if there is no such rule."""
    made = a_single_rule(db, workflow=a_workflow(db))
    await firing.fire(engine, made, "k", AT)

    found = await rules.read(engine, made)

    assert found is not None
    assert (found.status, found.done_for, found.last_outcome) == (RuleStatus.DONE, AT, FireOutcome.CREATED)
    assert found.last_fired_at == rule_row(db, made)["last_fired_at"]
    assert await rules.read(engine, made + 1) is None


async def test_a_config_that_python_cannot_read_delays_no_other_rule(engine: Engine, db: Db) -> None:
    """Whether Python can read a thousand brackets depends on its version; the other rules are read."""
    workflow = a_workflow(db)
    deep = a_rule(db, workflow=workflow)
    other = a_rule(db, workflow=workflow)
    db.execute(
        "UPDATE notify.ent_notification_rule SET trigger_config = %s::jsonb WHERE id = %s",
        [f'{{"cron": {"[" * 1010}{"]" * 1010}}}', deep],
    )

    found = await rules.read_all(engine)

    assert [rule.id for rule in found] == [deep, other]
    assert found[0].config_fault or found[0].config
    assert found[1].config["cron"] == "0 9 * * *"


async def test_a_rule_that_its_writer_has_just_changed_is_recent(
    engine: Engine, db: Db, database: str
) -> None:
    """Our own records do not count."""
    made = a_rule(db, workflow=a_workflow(db))
    with open_db(database) as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute("UPDATE notify.ent_notification_rule SET updated_at = now() - interval '61 seconds'")
    await rules.record_states(engine, [RuleState(made, RuleStatus.SCHEDULED)])
    before = await rules.read(engine, made)
    rewritten(db, made, name="other")
    after = await rules.read(engine, made)

    assert before is not None
    assert after is not None
    assert (before.recent, after.recent) == (False, True)


async def test_only_changed_states_are_written(engine: Engine, db: Db) -> None:
    """An unchanged row is not written again, and `updated_at` belongs to the rule's writer."""
    workflow = a_workflow(db)
    first, other, third = (a_rule(db, workflow=workflow) for _ in range(3))
    before = [rule_row(db, made)["updated_at"] for made in (first, other, third)]
    states = [
        RuleState(other, RuleStatus.INVALID, "rule: cron: it has 4 fields"),
        RuleState(first, RuleStatus.SCHEDULED),
        RuleState(10**12, RuleStatus.SCHEDULED),
    ]

    assert len(await rules.record_states(engine, states)) == 2
    versions = db.execute("SELECT id, xmin, ctid FROM notify.ent_notification_rule").fetchall()
    assert len(await rules.record_states(engine, states)) == 0
    assert db.execute("SELECT id, xmin, ctid FROM notify.ent_notification_rule").fetchall() == versions

    assert (
        len(await rules.record_states(engine, [RuleState(first, RuleStatus.DONE, done_for=AT), states[0]]))
        == 1
    )
    assert len(await rules.record_states(engine, [RuleState(first, RuleStatus.DONE)])) == 0
    assert len(await rules.record_states(engine, [])) == 0
    found = [rule_row(db, made) for made in (first, other, third)]
    assert [(r["rule_status"], r["rule_error"], r["done_for"]) for r in found] == [
        ("DONE", None, AT),
        ("INVALID", "rule: cron: it has 4 fields", None),
        (None, None, None),
    ]
    assert [r["updated_at"] for r in found] == before


async def test_a_locked_rule_delays_no_other(engine: Engine, db: Db, database: str) -> None:
    """A tenant's transaction is open; its rule's state is recorded the next time."""
    workflow = a_workflow(db)
    held, free = (a_rule(db, workflow=workflow) for _ in range(2))
    states = [RuleState(made, RuleStatus.SCHEDULED) for made in (held, free)]
    with open_db(database) as tenant, tenant.transaction():
        rewritten(tenant, held, name="mine")
        assert len(await rules.record_states(engine, states)) == 1

    assert rule_row(db, held)["rule_status"] is None
    assert len(await rules.record_states(engine, states)) == 1


async def test_a_rule_is_deactivated_and_activated(engine: Engine, db: Db) -> None:
    """A repeat changes nothing."""
    made = a_rule(db, workflow=a_workflow(db))

    for deactivated in (True, True, False):
        assert await rules.set_deactivated(engine, made, deactivated=deactivated)
        assert rule_row(db, made)["deactivated"] is deactivated
    assert not await rules.set_deactivated(engine, made + 1, deactivated=True)


async def test_problems_name_why_a_rule_would_make_nothing(engine: Engine, db: Db) -> None:
    """Each problem of a rule is listed; a rule without problems is not."""
    bad = a_workflow(db, enterprise="globex", publish_status="DRAFT", deactivated=True)
    own = a_workflow(db, enterprise="acme")
    fine = [a_single_rule(db, workflow=own), a_rule(db, workflow=a_workflow(db)), a_rule(db, workflow=own)]
    wrong = a_rule(db, workflow=bad, rule_payload={})

    found = await rules.find_problems(engine, None)

    assert [problem.rule_id for problem in found] == [wrong] * 4
    assert [problem.reason.partition(";")[0] for problem in found] == [
        f"its workflow {bad} belongs to another enterprise",
        f"its workflow {bad} is not published",
        f"its workflow {bad} is deactivated",
        "rule_payload has no recipients",
    ]
    assert await rules.find_problems(engine, fine) == []
    assert await rules.find_problems(engine, []) == []
    assert await rules.find_problems(engine, [wrong]) == found
    assert all(isinstance(problem, RuleProblem) for problem in found)
