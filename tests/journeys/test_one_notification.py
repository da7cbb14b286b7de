"""A single notification from its insert to Novu's acceptance, in the order of ARCHITECTURE.md."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.worker import Worker

from tests.support.delivering import ENGLISH
from tests.support.executing import worker_of
from tests.support.novu import NovuStandIn
from tests.support.passing import passing
from tests.support.rows import Db, a_template, a_workflow, row
from tests.support.waiting import eventually
from xnovu_poller.backpressure.gate import Gate
from xnovu_poller.delivery.deliver import Delivery
from xnovu_poller.lifecycle import RunState, Status
from xnovu_poller.loops.loop import PollLoop
from xnovu_poller.novu import Novu
from xnovu_poller.store import identity
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications.backlog import count_backlog
from xnovu_poller.store.notifications.claim import Terms
from xnovu_poller.store.notifications.claim_sql import claim_sql
from xnovu_poller.store.notifications.due import NEW
from xnovu_poller.temporal import contract
from xnovu_poller.temporal.client import Address, connect
from xnovu_poller.temporal.delivery.handoff import Handoff
from xnovu_poller.temporal.search import SearchAttributes

CALL = timedelta(seconds=10)


async def test_one_notification_walks_from_its_insert_to_its_acceptance(
    db: Db, engine: Engine, temporal_address: str, task_queue: str, novu_standin: NovuStandIn
) -> None:
    """The test checks each step from outside before the next step."""
    claim_sql.cache_clear()  # or a claim of another test has composed the statement already
    deployment = (await identity.read_deployment(engine)).id
    client = await connect(Address(target=temporal_address, namespace="default"))
    handoff = Handoff(
        client,
        task_queue=task_queue,
        deployment=deployment,
        call=CALL,
        search=SearchAttributes(registered=True),
    )

    # 1: a producer inserts the row in its own transaction.
    notification = _insert(db)
    assert row(db, notification)["notification_status"] == Status.PENDING

    # 2: the row is due, and exactly one loop owns it.
    assert await count_backlog(engine) == {"in_flight": 0, "new": 1, "scheduled": 0, "failed": 0}

    # 3, 4, 5: that loop takes a turn, claims the row, and starts its run.
    loop = PollLoop(
        NEW, engine, Gate(), terms=_terms(deployment), start=handoff.start, interval=timedelta(minutes=1)
    )
    await engine.dispose()  # so that the walk opens its session
    with passing() as files:
        assert await loop.turn() == timedelta(0)
    claimed = row(db, notification)
    run_id = f"{contract.prefix(deployment)}-notification-{notification}-1"
    assert (claimed["notification_status"], claimed["attempt"]) == (Status.PROCESSING, 1)
    assert claimed["temporal_workflow_id"] == run_id
    assert claimed["send_until"] is None
    assert await handoff.ask(run_id) is RunState.OPEN
    assert await loop.turn() == timedelta(minutes=1)

    # 6 to 11: an executor carries out the run: hold, validate, render, trigger, record.
    async with _executor(engine, client, deployment, novu_standin, task_queue):
        with passing() as more:
            await eventually(lambda: row(db, notification)["notification_status"] == Status.SENT)
            await client.get_workflow_handle(run_id).result()

    assert files | more == named_in_the_walk()
    sent = row(db, notification)
    assert (sent["attempt"], sent["lease_expires_at"], sent["send_until"]) == (1, None, None)
    assert sent["processed_at"] is not None
    assert await handoff.ask(run_id) is RunState.GONE

    # Novu got it once, with the text of the template.
    assert dict(novu_standin.deliveries()) == {(sent["transaction_id"], "subscriber-1"): 1}
    (trigger,) = novu_standin.ledger()["triggers"]
    assert trigger["event"]["name"] == "order-shipped"
    assert trigger["event"]["payload"] == {
        "order": 42,
        "xnovu": {
            "enterprise_id": "acme",
            "channels": ["email"],
            "notification_id": notification,
            "rendered": {
                "email": {
                    "subject": "Order 42",
                    "body": "Order 42 is on its way, &lt;friend&gt;.",
                    "text": "Order 42 is on its way, <friend>.",
                }
            },
        },
    }

    # Temporal saw one run with one local activity, and neither recipient nor text.
    found = await client.get_workflow_handle(run_id).describe()
    assert found.status is WorkflowExecutionStatus.COMPLETED
    history = (await client.get_workflow_handle(run_id).fetch_history()).to_json()
    assert "EVENT_TYPE_MARKER_RECORDED" in history
    assert "EVENT_TYPE_ACTIVITY_TASK_SCHEDULED" not in history
    assert "subscriber-1" not in history
    assert "order 42" not in history.lower()


def named_in_the_walk() -> set[str]:
    """Return the files of the package that the walk in ARCHITECTURE.md names, up to what stands beside it."""
    page = (Path(__file__).parents[2] / "ARCHITECTURE.md").read_text(encoding="utf-8")
    walk = page.partition("## The walk of one notification")[2].partition("Beside the walk:")[0]
    return set(re.findall(r"`([a-z_/]+\.py)`", walk)) - {
        "tests/journeys/test_one_notification.py",
        # The producer's insert and the conditions of the loops are data, no steps of ours.
        "models/notification.py",
        "store/notifications/due.py",
    }


def _insert(db: Db) -> int:
    # Only an enterprise with a row is read.
    db.execute("INSERT INTO notify.ent_enterprise (enterprise_id, name) VALUES ('acme', 'Acme')")
    a_template(
        db,
        key="shipped-en",
        subject_template="Order ${order}",
        body_template='Order ${payload.order} is on its way, ${name or "<friend>"}.',
    )
    a_workflow(
        db,
        workflow_type="DYNAMIC",
        default_channels=["EMAIL"],
        template_overrides={"EMAIL": "shipped-en"},
        payload_schema={"type": "object", "required": ["order"]},
    )
    made = db.execute(
        "SELECT notify.enqueue('acme', 'order-shipped', '{subscriber-1}', '{\"order\": 42}') AS id"
    ).fetchone()
    assert made is not None
    return int(made["id"])


def _terms(deployment: UUID) -> Terms:
    return Terms(
        prefix=contract.prefix(deployment),
        batch=10,
        group_size=1,
        max_in_flight=100,
        lease=timedelta(seconds=30),
    )


@asynccontextmanager
async def _executor(
    engine: Engine, client: Client, deployment: UUID, standin: NovuStandIn, task_queue: str
) -> AsyncIterator[Worker]:
    gate = Gate()
    novu = Novu(standin.url, "any", CALL, gate)
    delivery = Delivery(engine, novu, gate, timeout=CALL, max_failures=8, language=ENGLISH)
    executing = worker_of(client, task_queue, engine, delivery, deployment=deployment)
    async with executing:
        yield executing
    await novu.aclose()
