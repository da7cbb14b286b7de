"""The rules in the database: read, marked, fired, switched, doubted."""

from datetime import UTC, datetime

from tests.support.rows import Db, a_rule, a_single_rule, a_workflow, open_db, rewritten, rule_row
from xnovu_poller.lifecycle import FireOutcome, RuleStatus, RuleTrigger
from xnovu_poller.store import firing, rules
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.rules import Rule, RuleProblem, RuleState

AT = datetime(2030, 1, 1, 9, tzinfo=UTC)


async def test_every_rule_is_read_by_id(engine: Engine, db: Db) -> None:
    """However many there are, of whichever enterprise and kind; what was never looked at has no status."""
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

    assert [one.id for one in found] == sorted(one.id for one in found)
    assert len(found) == 3003
    assert await rules.read_ids(engine) == {one.id for one in found}
    pages = [await rules.read_page(engine, after, 2000) for after in (None, found[1999].id, found[-1].id)]
    assert pages == [found[:2000], found[2000:], []]
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
        recent=True,
    )
    one = {rule.id: rule for rule in found}
    assert (one[once].trigger, one[once].enterprise_id, one[once].active) == (
        RuleTrigger.SCHEDULE,
        "globex",
        False,
    )
    assert (one[off].active, len(one[off].name)) == (False, 255)


async def test_one_rule_is_read_with_what_became_of_it(engine: Engine, db: Db) -> None:
    """Or none, if there is none."""
    made = a_single_rule(db, workflow=a_workflow(db))
    await firing.fire(engine, made, "k", AT)

    found = await rules.read(engine, made)

    assert found is not None
    assert (found.status, found.done_for, found.last_outcome) == (RuleStatus.DONE, AT, FireOutcome.CREATED)
    assert found.last_fired_at == rule_row(db, made)["last_fired_at"]
    assert await rules.read(engine, made + 1) is None


async def test_a_config_that_python_will_not_read_keeps_no_other_rule_back(engine: Engine, db: Db) -> None:
    """It is an empty one, and the others are read."""
    workflow = a_workflow(db)
    long = a_rule(db, workflow=workflow)
    other = a_rule(db, workflow=workflow)
    db.execute(
        "UPDATE notify.ent_notification_rule SET trigger_config = jsonb_build_object('cron', repeat('9', 5000)::numeric)"
        " WHERE id = %s",
        [long],
    )

    found = await rules.read_all(engine)

    assert [one.id for one in found] == [long, other]
    assert found[0].config == {}
    assert found[1].config["cron"] == "0 9 * * *"


async def test_what_its_writer_has_just_changed_is_recent(engine: Engine, db: Db, database: str) -> None:
    """What we write on it does not count."""
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


async def test_only_news_is_marked(engine: Engine, db: Db) -> None:
    """What is written already is not written again: the row stays the very one; `updated_at` is its writer's."""
    workflow = a_workflow(db)
    one, other, third = (a_rule(db, workflow=workflow) for _ in range(3))
    before = [rule_row(db, made)["updated_at"] for made in (one, other, third)]
    verdicts = [
        RuleState(other, RuleStatus.INVALID, "rule: cron: it has 4 fields"),
        RuleState(one, RuleStatus.SCHEDULED),
        RuleState(10**12, RuleStatus.SCHEDULED),
    ]

    assert await rules.record_states(engine, verdicts) == 2
    versions = db.execute("SELECT id, xmin, ctid FROM notify.ent_notification_rule").fetchall()
    assert await rules.record_states(engine, verdicts) == 0
    assert db.execute("SELECT id, xmin, ctid FROM notify.ent_notification_rule").fetchall() == versions

    assert await rules.record_states(engine, [RuleState(one, RuleStatus.DONE, done_for=AT), verdicts[0]]) == 1
    assert await rules.record_states(engine, [RuleState(one, RuleStatus.DONE)]) == 0
    assert await rules.record_states(engine, []) == 0
    found = [rule_row(db, made) for made in (one, other, third)]
    assert [(r["rule_status"], r["rule_error"], r["done_for"]) for r in found] == [
        ("DONE", None, AT),
        ("INVALID", "rule: cron: it has 4 fields", None),
        (None, None, None),
    ]
    assert [r["updated_at"] for r in found] == before


async def test_a_rule_that_somebody_holds_keeps_no_other_back(engine: Engine, db: Db, database: str) -> None:
    """A tenant's open transaction; its rule is marked the next time."""
    workflow = a_workflow(db)
    held, free = (a_rule(db, workflow=workflow) for _ in range(2))
    verdicts = [RuleState(made, RuleStatus.SCHEDULED) for made in (held, free)]
    with open_db(database) as tenant, tenant.transaction():
        rewritten(tenant, held, name="mine")
        assert await rules.record_states(engine, verdicts) == 1

    assert rule_row(db, held)["rule_status"] is None
    assert await rules.record_states(engine, verdicts) == 1


async def test_a_rule_is_switched_off_and_on(engine: Engine, db: Db) -> None:
    """Twice is as once."""
    made = a_rule(db, workflow=a_workflow(db))

    for deactivated in (True, True, False):
        assert await rules.set_deactivated(engine, made, deactivated=deactivated)
        assert rule_row(db, made)["deactivated"] is deactivated
    assert not await rules.set_deactivated(engine, made + 1, deactivated=True)


async def test_doubts_say_why_nothing_would_come_of_a_rule(engine: Engine, db: Db) -> None:
    """Each of them; a rule with none is not named."""
    bad = a_workflow(db, enterprise="globex", publish_status="DRAFT", deactivated=True)
    own = a_workflow(db, enterprise="acme")
    fine = [a_single_rule(db, workflow=own), a_rule(db, workflow=a_workflow(db)), a_rule(db, workflow=own)]
    wrong = a_rule(db, workflow=bad, rule_payload={})

    found = await rules.find_problems(engine, None)

    assert [one.rule_id for one in found] == [wrong] * 4
    assert [one.reason.partition(";")[0] for one in found] == [
        f"its workflow {bad} belongs to another enterprise",
        f"its workflow {bad} is not published",
        f"its workflow {bad} is deactivated",
        "rule_payload has no recipients",
    ]
    assert await rules.find_problems(engine, fine) == []
    assert await rules.find_problems(engine, []) == []
    assert await rules.find_problems(engine, [wrong]) == found
    assert all(isinstance(one, RuleProblem) for one in found)
