"""Pages of what authors write, across enterprises, by id."""

from tests.support.rows import Db, a_rule, a_template, a_workflow
from xnovu_poller.lifecycle import Channel, CheckedStatus
from xnovu_poller.store import catalog
from xnovu_poller.store.catalog import Checked, Wanted, list_rules, list_templates, list_workflows
from xnovu_poller.store.engine import Engine


async def test_pages_follow_each_other_by_id(engine: Engine, db: Db) -> None:
    """Each row stands on one page, and the last page is the end."""
    workflow = a_workflow(db)
    rules = [
        a_rule(db, workflow=workflow, enterprise=f"e-{number % 2}") for number in range(catalog.PAGE + 1)
    ]
    first, after = await list_rules(engine, Wanted())
    assert ([rule.id for rule in first], after) == (rules[: catalog.PAGE], rules[catalog.PAGE - 1])
    last, end = await list_rules(engine, Wanted(after=after or 0))
    assert ([rule.id for rule in last], end) == (rules[catalog.PAGE :], None)
    some, _ = await list_rules(engine, Wanted(enterprise="e-1"))
    assert [rule.id for rule in some] == rules[1::2]
    assert await list_rules(engine, Wanted(faulty=True)) == ([], None)
    db.execute("UPDATE notify.ent_notification_rule SET last_outcome = 'refused' WHERE id = %s", [rules[3]])
    assert [rule.id for rule in (await list_rules(engine, Wanted(faulty=True)))[0]] == [rules[3]]


async def test_a_workflow_has_its_check_and_when_novu_got_it(engine: Engine, db: Db) -> None:
    """An enterprise's page has the global rows too; a draft has no check."""
    columns = {"workflow_type": "DYNAMIC", "default_channels": "{EMAIL,SMS}"}
    shared = a_workflow(db, key="shared", template_overrides={"EMAIL": "mail", "SMS": 7}, **columns)
    own = a_workflow(db, key="own", enterprise="acme", publish_status="DRAFT")
    a_workflow(db, key="other", enterprise="globex")
    db.execute(
        "INSERT INTO notify.workflow_sync (workflow_key, identifier, written, answered) VALUES ('shared', 'shared', '{}', '{}')"
    )
    db.execute(
        "UPDATE notify.ent_notification_workflow SET checked_status = 'ERROR', checked_error = 'x' WHERE id = %s",
        [shared],
    )
    found, after = await list_workflows(engine, Wanted(enterprise="acme"))
    assert ([each.id for each in found], after) == ([shared, own], None)
    assert (found[0].channels, found[0].templates) == ((Channel.EMAIL, Channel.SMS), {"EMAIL": "mail"})
    assert (found[0].checked, found[1].checked) == (Checked(CheckedStatus.ERROR, "x"), Checked(None, None))
    assert [(each.active, each.written_at is not None) for each in found] == [(True, True), (False, False)]
    assert [each.id for each in (await list_workflows(engine, Wanted(key="own")))[0]] == [own]


async def test_a_template_has_what_it_uses(engine: Engine, db: Db) -> None:
    """With its channel and its language."""
    made = a_template(db, key="parcel", locale="de", body_template='<%include file="foot"/>')
    (found,), after = await list_templates(engine, Wanted(key="parcel"))
    assert (found.id, found.channel, found.locale, found.uses, after) == (
        made,
        Channel.EMAIL,
        "de",
        ("foot",),
        None,
    )
    assert await list_templates(engine, Wanted(key="foot")) == ([], None)
