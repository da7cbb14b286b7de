"""What is paused is not claimed from the pause's commit on, and costs the claims of others nothing."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from tests.support.claiming import WIDE
from tests.support.rows import Db, a_notification, a_workflow, attempt_of, back_dated, notifications
from tests.support.waiting import eventually
from xnovu_poller.lifecycle import PauseScope, Status
from xnovu_poller.store import checks, pauses, pausing
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications import by_claim
from xnovu_poller.store.notifications.backlog import look_at_queue, oldest_due
from xnovu_poller.store.notifications.claim import Cursor, Terms, claim
from xnovu_poller.store.notifications.claim_sql import claim_sql
from xnovu_poller.store.notifications.due import FAILED, NEW, SCHEDULED, Due
from xnovu_poller.store.notifications.paused_sql import MOST_WORKFLOWS
from xnovu_poller.store.notifications.round_sql import EnterpriseScope
from xnovu_poller.store.pauses import Paused

TERMS = Terms(prefix="abc", batch=50, group_size=1, max_in_flight=10_000, lease=timedelta(seconds=30))
PAST = "2020-01-01T00:00Z"
ALL, ACME = Paused(), Paused("acme")

FLOOD = """
    INSERT INTO notify.ent_notification (enterprise_id, name, notification_workflow_id, recipients, priority)
    SELECT %s, 'n', %s, '{s}', i %% 3 FROM generate_series(1, %s) AS i"""


async def claim_all(
    engine: Engine, due: Due = NEW, terms: Terms = TERMS, cursor: Cursor = WIDE
) -> Counter[str]:
    """Claim once, and count by enterprise and workflow."""
    claims, _ = await claim(engine, due, terms, cursor)
    return Counter(f"{claimed.enterprise_id} {claimed.workflow_key}" for claimed in claims)


async def pause(engine: Engine, *paused: Paused) -> None:
    """Pause."""
    for each in paused:
        assert await pausing.pause(engine, each, reason="a test", actor="ann")


@pytest.mark.parametrize("due", [NEW, SCHEDULED, FAILED], ids=lambda due: due.name)
@pytest.mark.parametrize("served", [None, ("acme", "globex")], ids=["all", "named"])
async def test_each_scope_holds_back_its_rows_and_no_others(
    engine: Engine, db: Db, due: Due, served: tuple[str, ...] | None
) -> None:
    """In each loop, whether the settings name enterprises or not; and a resume lets them go."""
    shipped, paid = a_workflow(db), a_workflow(db, key="order-paid")
    own = a_workflow(db, enterprise="acme", key="reminder")
    for enterprise, workflow in (("acme", shipped), ("acme", paid), ("acme", own), ("globex", shipped)):
        for priority in (0, 5):
            a_notification(
                db,
                enterprise=enterprise,
                workflow=workflow,
                priority=priority,
                status=Status.FAILED if due is FAILED else Status.PENDING,
                scheduled_for=PAST if due is SCHEDULED else None,
            )
    everything = {f"acme {key}": 2 for key in ("order-shipped", "order-paid", "reminder")} | {
        "globex order-shipped": 2
    }
    expected: dict[tuple[Paused, ...], set[str]] = {
        (ALL,): set(),
        (ACME,): {"globex order-shipped"},
        (Paused(None, "order-shipped"),): {"acme order-paid", "acme reminder"},
        (Paused("globex", "order-shipped"),): set(everything) - {"globex order-shipped"},
        (Paused("globex"), Paused("acme", "reminder"), Paused("acme", "order-paid")): {"acme order-shipped"},
        (): set(everything),
    }
    terms = replace(TERMS, enterprises=served)
    for paused, claimed in expected.items():
        await pause(engine, *paused)
        claims, _ = await claim(engine, due, terms, WIDE)
        found = Counter(f"{each.enterprise_id} {each.workflow_key}" for each in claims)
        assert (paused, found) == (paused, {key: everything[key] for key in claimed})
        released = await by_claim.release(engine, [each.attempt for each in claims])
        assert set(released.values()) <= {Status.FAILED if due is FAILED else Status.PENDING}
        for each in paused:
            assert await pausing.resume(engine, each, actor="ann") is not None


async def test_a_pause_holds_for_a_loop_that_remembers(engine: Engine, db: Db) -> None:
    """The memory of a moment knows the rows, and the statement leaves them out all the same."""
    notifications(db, 300)
    notifications(db, 300, enterprise="globex")
    _, cursor = await claim(engine, NEW, TERMS, WIDE)
    assert cursor.memory is not None

    await pause(engine, ACME)
    assert await claim_all(engine, cursor=cursor) == {"globex None": 50}
    await pause(engine, ALL)
    assert await claim_all(engine, cursor=cursor) == {}


async def test_the_most_urgent_go_first_and_no_priority_starves(engine: Engine, db: Db) -> None:
    """While a workflow of the enterprise is paused; one row in ten is of the lowest priority."""
    paused, other = a_workflow(db), a_workflow(db, key="order-paid")
    for priority, count in ((9, 5), (5, 200), (0, 200)):
        for workflow in (paused, other):
            db.execute(
                "INSERT INTO notify.ent_notification (enterprise_id, name, notification_workflow_id, recipients, priority)"
                " SELECT 'acme', 'n', %s, '{s}', %s FROM generate_series(1, %s)",
                [workflow, priority, count],
            )
    await pause(engine, Paused("acme", "order-shipped"))

    claims, _ = await claim(engine, NEW, TERMS, replace(WIDE, turn=5))

    assert Counter(claimed.priority for claimed in claims) == {9: 5, 5: 40, 0: 5}


async def test_no_workflow_waits_for_those_whose_rows_are_due_later(engine: Engine, db: Db) -> None:
    """Beside a paused workflow, more workflows than a claim looks at have rows of another day."""
    paused = a_workflow(db)
    for number in range(MOST_WORKFLOWS):
        other = a_workflow(db, enterprise="acme", key=f"later-{number}")
        a_notification(db, workflow=other, scheduled_for="2100-01-01T00:00Z")
    last = a_workflow(db, enterprise="acme", key="last")
    for workflow in (paused, last):
        a_notification(db, workflow=workflow, scheduled_for=PAST)
    await pause(engine, Paused("acme", "order-shipped"))

    assert await eventually(lambda: claim_all(engine, SCHEDULED)) == {"acme last": 1}


async def test_what_is_in_flight_goes_on_and_time_ends_a_pause(engine: Engine, db: Db) -> None:
    """A send that has lapsed is sent again, since Novu may have it; a notification expires; an end that has passed is refused."""
    held = a_notification(db, status=Status.PROCESSING)
    back_dated(db, held, timedelta(hours=1), "lease_expires_at", "send_until")
    expiring = a_notification(db, expires_at=datetime.now(UTC) - timedelta(hours=1))
    waiting = a_notification(db)
    await pause(engine, ALL)

    [again] = await by_claim.reclaim(engine, [attempt_of(db, held)], TERMS)
    assert again.notification_id == held
    assert await by_claim.expire(engine) == {expiring: Status.RETRACTED}
    assert await claim_all(engine) == {}

    past = datetime.now(UTC) - timedelta(hours=1)
    assert not await pausing.pause(engine, ALL, reason="too late", actor="ann", ends_at=past)
    assert await pausing.pause(
        engine, ALL, reason="for a while", actor="ann", ends_at=datetime.now(UTC) + timedelta(hours=1)
    )
    [found] = await pauses.read_all(engine)
    assert (found.reason, found.paused) == ("for a while", ALL)
    db.execute("UPDATE notify.pause SET ends_at = clock_timestamp() - interval '2 days'")
    assert await pauses.read_all(engine) == []
    claims, _ = await claim(engine, NEW, TERMS, WIDE)
    assert [claimed.notification_id for claimed in claims] == [waiting]
    await pauses.forget(engine)
    assert db.execute("SELECT FROM notify.pause").rowcount == 0


async def test_a_pause_until_infinity_is_read_and_ended(engine: Engine, db: Db) -> None:
    """An administrator may write it, and Python has no such time."""
    db.execute(
        "INSERT INTO notify.pause (enterprise_id, reason, ends_at) VALUES ('acme', 'for ever', 'infinity')"
    )

    (found,) = await pauses.read_all(engine)
    assert (found.reason, found.ends_at) == ("for ever", None)
    assert await pausing.resume(engine, found.paused, actor="ann") == found


async def test_what_is_paused_alarms_nobody_and_no_loop_keeps_looking(engine: Engine, db: Db) -> None:
    """Its rows are not overdue, even with a limit; the doctor names the pauses, and nobody's name."""
    workflow = a_workflow(db)
    a_notification(db, workflow=workflow)
    db.execute("INSERT INTO notify.ent_enterprise_limit (enterprise_id, rate) VALUES ('acme', 5)")

    async def is_looking() -> bool:
        return await look_at_queue(engine, NEW, WIDE.queue, max_in_flight=100, enterprises=None) is not None

    assert await is_looking()
    for paused in (ALL, ACME, Paused(None, "order-shipped"), Paused("acme", "order-shipped")):
        assert (await oldest_due(engine))["new"] is not None
        await pause(engine, paused)
        assert (await oldest_due(engine))["new"] is None
        assert await is_looking() == (paused.scope is PauseScope.WORKFLOW)
        assert await pauses.count(engine) == {scope: int(scope is paused.scope) for scope in PauseScope}
        [sentence] = [found.sentence for found in await checks.examine(engine) if found.code == "paused"]
        assert "acme" not in sentence
        assert await pausing.resume(engine, paused, actor="ann") is not None
    assert await pausing.resume(engine, ALL, actor="ann") is None


async def pages_of_a_claim(engine: Engine) -> int:
    """Claim new rows once, and return how many pages that read."""
    values = {
        "login": "",
        "logins": [],
        "afters": [],
        "turn": 5,
        "limit": 50,
        "max_in_flight": 10_000,
        "most_queued": 1_000_000,
        "room_needed": 1,
        "newest": None,
        "lease": 30.0,
        "prefix": "abc",
        "group_size": 1,
        "grouped_from": 1,
        "groups": [],
        "counting": False,
        "holders": [],
        "held": [],
        "known": [],
        "marks": [],
        "times": [],
    }
    explain = text(
        f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {claim_sql(NEW, 50, EnterpriseScope.ALL, switched=True).text}"
    )
    async with engine.connect() as connection:
        [explained] = (await connection.execute(explain, values)).scalar_one()
    plan = explained["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


@pytest.mark.parametrize("paused", [Paused(None, "order-shipped"), ACME], ids=["workflow", "enterprise"])
async def test_a_claim_reads_no_more_however_many_rows_are_paused(
    engine: Engine, db: Db, paused: Paused
) -> None:
    """They stand before the others of the same enterprise, in each priority."""
    shipped, other = a_workflow(db), a_workflow(db, key="order-paid")
    await pause(engine, paused)
    read = []
    for more in (200, 10_000):
        db.execute(FLOOD, ["acme", shipped, more])
        db.execute(FLOOD, ["acme" if paused.workflow_key else "globex", other, 60])
        db.execute("ANALYZE notify.ent_notification")
        read.append(await pages_of_a_claim(engine))

    assert read[1] < 1.5 * read[0], read
