"""A sync with Novu: which workflows are written, which stay, and which become a sentence."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from typing_extensions import override

from tests.support.novu import NovuStandIn
from tests.support.rows import Db, a_workflow
from tests.support.syncing import Person, a_dynamic
from xnovu_poller.errors import NovuThrottled, NovuUnanswered, NovuUnauthorized, XnovuError
from xnovu_poller.novu.calls import Json
from xnovu_poller.novu.workflows import NovuWorkflows
from xnovu_poller.store.engine import Engine
from xnovu_poller.sync.apply import Report, publish, synchronise

MINE: dict[str, Any] = {"name": "Mine", "workflowId": "welcome", "steps": [], "active": True}


def actions(report: Report) -> dict[str, str]:
    """Return the decisions, by key."""
    return {item.key: item.action.value for item in report.items}


async def test_novu_gets_one_workflow_for_the_rows_of_all_enterprises(
    engine: Engine, novu: NovuWorkflows, db: Db, person: Person
) -> None:
    """It has a step for each of their channels; a second sync writes nothing."""
    a_dynamic(db, "welcome", "EMAIL", name="Welcome")
    a_dynamic(
        db, "welcome", "SMS", enterprise="acme", name="of acme", template_overrides={"PUSH": "t", "x": 1}
    )
    a_dynamic(db, "draft", publish_status="DRAFT")
    a_dynamic(db, "off", deactivated=True)

    assert (await synchronise(engine, novu, dry_run=True)).items[0].action == "create"
    assert person.keys() == []

    report = await synchronise(engine, novu)
    made = person.read("welcome")
    assert (actions(report), report.problems) == ({"welcome": "create"}, [])
    assert (made["name"], made["status"]) == ("Welcome", "ACTIVE")
    assert [step["type"] for step in made["steps"]] == ["email", "sms", "push"]

    assert actions(await synchronise(engine, novu)) == {"welcome": "same"}
    assert person.read("welcome") == made


async def test_a_change_of_the_rows_keeps_steps_and_what_people_may_set(
    engine: Engine, novu: NovuWorkflows, db: Db, person: Person
) -> None:
    """The steps keep their ids, and the workflow its tags."""
    a_dynamic(db, "welcome", "EMAIL")
    await synchronise(engine, novu)
    person.call("PATCH", "workflows/welcome", tags=["orders"])
    (email,) = person.read("welcome")["steps"]

    db.execute("UPDATE notify.ent_notification_workflow SET default_channels = '{IN_APP,EMAIL}'")
    assert actions(await synchronise(engine, novu)) == {"welcome": "change"}

    made = person.read("welcome")
    assert made["tags"] == ["orders"]
    assert [step["type"] for step in made["steps"]] == ["in_app", "email"]
    assert made["steps"][1]["_id"] == email["_id"]
    assert actions(await synchronise(engine, novu)) == {"welcome": "same"}


async def test_what_a_person_has_changed_stays_until_it_is_forced(
    engine: Engine, novu: NovuWorkflows, db: Db, person: Person
) -> None:
    """Even if the rows change too."""
    a_dynamic(db)
    await synchronise(engine, novu)
    person.call("PATCH", "workflows/welcome", description="by hand")

    report = await synchronise(engine, novu)
    assert actions(report) == {"welcome": "edited"}
    assert report.problems == [
        "workflow welcome: a person has changed it in Novu; write it again with --force, or undo the change there"
    ]
    assert person.read("welcome")["description"] == "by hand"

    assert actions(await synchronise(engine, novu, force=True)) == {"welcome": "change"}
    assert person.read("welcome")["description"] != "by hand"


class Overtaken(NovuWorkflows):
    """Its first read of a workflow comes just before a person's act."""

    act: Callable[[], object] | None = None

    @override
    async def read(self, key: str) -> Json:
        """Read, and then let the person act."""
        found = await super().read(key)
        act, self.act = self.act, None
        if act is not None:
            act()
        return found


async def test_what_a_person_does_after_the_plan_is_not_overwritten(
    engine: Engine, novu_standin: NovuStandIn, db: Db, person: Person
) -> None:
    """A change stays, and a deleted workflow is created."""
    a_dynamic(db)
    novu = Overtaken(novu_standin.url, "key-1", timedelta(seconds=30))
    await synchronise(engine, novu)

    db.execute("UPDATE notify.ent_notification_workflow SET name = 'Changed'")
    novu.act = lambda: person.call("PATCH", "workflows/welcome", description="by hand")
    assert actions(await synchronise(engine, novu)) == {"welcome": "edited"}
    assert person.read("welcome")["description"] == "by hand"

    novu.act = lambda: person.call("DELETE", "workflows/welcome")
    assert actions(await synchronise(engine, novu, force=True)) == {"welcome": "create"}
    assert person.read("welcome")["name"] == "Changed"
    await novu.aclose()


async def test_a_foreign_workflow_is_never_touched(
    engine: Engine, novu: NovuWorkflows, db: Db, person: Person
) -> None:
    """A workflow that looks like ours is recorded as ours: we may have died between the write and its record."""
    a_dynamic(db)
    person.call("POST", "workflows", **MINE)
    theirs = person.read("welcome")

    assert actions(await synchronise(engine, novu, force=True)) == {"welcome": "foreign"}
    assert person.read("welcome") == theirs

    person.call("DELETE", "workflows/welcome")
    await synchronise(engine, novu)
    db.execute("DELETE FROM notify.workflow_sync")
    assert actions(await synchronise(engine, novu)) == {"welcome": "same"}
    assert (
        db.execute("SELECT FROM notify.workflow_sync WHERE written_at > now() - interval '1 min'").rowcount
        == 1
    )


async def test_only_some_keys_are_looked_at(
    engine: Engine, novu: NovuWorkflows, db: Db, person: Person
) -> None:
    """A STATIC workflow that is missing in Novu is a sentence, and so is a key without rows."""
    a_dynamic(db, "one")
    a_dynamic(db, "two")
    a_workflow(db, key="static")

    report = await synchronise(engine, novu, only=["one", "static", "none"])

    assert actions(report) == {"one": "create", "static": "missing"}
    assert [problem.partition(":")[0] for problem in report.problems] == ["workflow none", "workflow static"]
    assert person.keys() == ["one"]


async def test_a_key_of_both_types_is_a_sentence(engine: Engine, novu: NovuWorkflows, db: Db) -> None:
    """It is written for the DYNAMIC rows, so those of the STATIC row would arrive empty."""
    a_dynamic(db, "both")
    a_workflow(db, key="both", enterprise="other")

    report = await synchronise(engine, novu)

    assert actions(report) == {"both": "create"}
    (problem,) = report.problems
    assert problem.startswith("workflow both: some of its rows are STATIC")


async def test_a_workflow_that_is_gone_after_the_list_is_created_again(
    engine: Engine, novu: NovuWorkflows, db: Db, novu_standin: NovuStandIn
) -> None:
    """Somebody deletes it in Novu between the two calls."""
    a_dynamic(db, "gone")
    listed = '{"data": {"workflows": [{"workflowId": "gone"}], "totalCount": 1}}'
    novu_standin.fault("malformed", body=listed, match={"method": "GET", "path": "/v2/workflows"}, times=2)

    report = await synchronise(engine, novu)

    assert (actions(report), report.problems) == ({"gone": "create"}, [])


async def test_one_refusal_stops_no_other(
    engine: Engine, novu: NovuWorkflows, db: Db, novu_standin: NovuStandIn
) -> None:
    """As at the limit of a plan; Novu's own words are shown."""
    a_dynamic(db, "a")
    a_dynamic(db, "b")
    body = '{"statusCode": 402, "timestamp": "t", "path": "p", "message": "Workflow limit\\nreached"}'
    novu_standin.fault("status", status=402, body=body, match={"path": "/v2/workflows"})

    report = await synchronise(engine, novu)

    assert report.problems == ['workflow a: Novu answers 402 ("Workflow limit\\nreached")']
    assert actions(await synchronise(engine, novu)) == {"a": "create", "b": "same"}


async def test_a_200_with_issues_is_a_problem(
    engine: Engine, novu: NovuWorkflows, db: Db, novu_standin: NovuStandIn
) -> None:
    """So is another identifier, which is not created again and again."""
    a_dynamic(db)
    body = '{"data": {"workflowId": "welcome-2", "status": "ERROR", "steps": []}}'
    novu_standin.fault("malformed", body=body, match={"path": "/v2/workflows"})
    novu_standin.fault(
        "malformed",
        body='{"data": {"workflows": [], "totalCount": 0}}',
        match={"method": "GET", "path": "/v2/workflows"},
        times=9,
    )

    report = await synchronise(engine, novu)
    assert report.problems == [
        "workflow welcome: Novu calls it welcome-2, where no trigger finds it",
        "workflow welcome: its status in Novu is ERROR",
    ]
    assert actions(await synchronise(engine, novu)) == {"welcome": "invalid"}


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"kind": "malformed", "body": "<h1>It works</h1>"}, NovuUnanswered),
        ({"kind": "malformed", "body": '{"data": {"workflows": [1], "totalCount": 1}}'}, NovuUnanswered),
        ({"kind": "status", "status": 401}, NovuUnauthorized),
        ({"kind": "throttle", "retry_after": 300}, NovuThrottled),
    ],
)
async def test_a_novu_that_cannot_be_trusted_ends_the_sync(
    engine: Engine,
    novu: NovuWorkflows,
    novu_standin: NovuStandIn,
    fault: dict[str, Any],
    expected: type[Exception],
) -> None:
    """Nothing is written to it."""
    novu_standin.fault(**fault, match={"method": "GET", "path": "/v2/workflows"})

    with pytest.raises(expected):
        await synchronise(engine, novu)


async def test_ours_are_published_after_a_dry_run(
    engine: Engine, novu: NovuWorkflows, db: Db, person: Person, novu_standin: NovuStandIn
) -> None:
    """Nothing else is; environments have names or ids."""
    a_dynamic(db)
    await synchronise(engine, novu)
    person.call("POST", "workflows", **{**MINE, "workflowId": "theirs"})

    async def publish_ours(
        target: str = "Production", *, dry_run: bool = False
    ) -> tuple[list[str], list[str]]:
        return await publish(novu, "standin-environment", target, {"welcome"}, dry_run=dry_run)

    assert await publish_ours(dry_run=True) == (["welcome: 1 added"], [])
    assert await publish_ours() == (["welcome: 1 added"], [])
    assert await publish_ours() == (["nothing differs"], [])
    left = person.call("POST", "environments/standin-production/diff")["resources"]
    assert [found["sourceResource"]["id"] for found in left] == ["theirs"]

    with pytest.raises(XnovuError, match="Novu has Development, Production"):
        await publish_ours("Staging")
    body = '{"data": {"results": [{"resourceType": "workflow", "skipped": [{"resourceId": "theirs"}]}]}}'
    novu_standin.fault("malformed", body=body, match={"path": "*/publish"})
    assert "cannot publish single workflows" in (await publish_ours())[1][0]
    assert await publish(novu, "Development", "Production", set(), dry_run=False) == (
        ["there is nothing to publish"],
        [],
    )
    assert (await publish(novu, "Production", "Development", {"other"}, dry_run=False))[1] == [
        "workflow other: Novu does not have it where it should come from"
    ]
