"""Two deployments share a Temporal namespace, a task queue and a Novu key by mistake."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from tests.support.modes import only
from tests.support.novu import NovuStandIn
from tests.support.postgres import migrated_copy
from tests.support.promise import assert_kept, until_settled
from tests.support.rows import Db, a_workflow, notifications, open_db
from tests.support.worker import deliveries, running_worker
from xnovu_poller.dev.postgres import Postgres
from xnovu_poller.store import identity
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications.claim import Cursor, Terms, claim
from xnovu_poller.store.notifications.due import NEW
from xnovu_poller.temporal import contract
from xnovu_poller.temporal.delivery.handoff import Handoff
from xnovu_poller.temporal.search import SearchAttributes

Environment = dict[str, str]

ROWS = "SELECT * FROM notify.ent_notification ORDER BY id"
TRIED = "SELECT DISTINCT attempt, failure_count, lapses FROM notify.ent_notification"


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment: its database, and the environment of its worker."""

    db: Db
    environment: Environment


@pytest.fixture
def ours(db: Db, worker_environment: Environment) -> Deployment:
    """Return our deployment."""
    return Deployment(db, worker_environment)


@pytest.fixture
def other(postgres_server: Postgres, worker_environment: Environment) -> Iterator[Deployment]:
    """Return the foreign deployment; only its database differs."""
    with migrated_copy(postgres_server) as url, open_db(url) as db:
        yield Deployment(db, {**worker_environment, "DATABASE_URL": url})


def due(db: Db, count: int) -> None:
    """Insert due notifications of a workflow."""
    workflow = a_workflow(db)
    with db.transaction():
        notifications(db, count)
        db.execute("UPDATE notify.ent_notification SET notification_workflow_id = %s", [workflow])


def tried(db: Db) -> list[dict[str, Any]]:
    """Return how often rows were tried, and the counters held against them."""
    return db.execute(TRIED).fetchall()


def test_each_sends_its_own_exactly_once(
    ours: Deployment, other: Deployment, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """It does not matter which worker gets a task: a foreign worker's refusal is neither an attempt nor a failure."""
    with ExitStack() as workers:
        for name, deployment in (("ours", ours), ("other", other)):
            due(deployment.db, 6)
            workers.enter_context(running_worker(tmp_path, name, **deployment.environment))
        # By chance a group may reach foreign workers a few times in a row.
        until_settled(ours.db)
        until_settled(other.db)

    for deployment in (ours, other):
        assert_kept(deployment.db, novu_standin)
        assert deliveries(deployment.db, novu_standin) == [1] * 6
        assert tried(deployment.db) == [{"attempt": 1, "failure_count": 0, "lapses": 0}]


async def handed_off(engine: Engine, environment: Environment) -> None:
    """Claim due rows in groups of two and start their workflows, as a loop does, without a worker."""
    deployment = await identity.read_deployment(engine)
    terms = Terms(
        prefix=contract.prefix(deployment.id),
        batch=10,
        group_size=2,
        max_in_flight=10,
        lease=timedelta(minutes=5),
    )
    handoff = Handoff(
        await Client.connect(environment["TEMPORAL_ADDRESS"]),
        task_queue=environment["TEMPORAL_TASK_QUEUE"],
        deployment=deployment.id,
        call=timedelta(seconds=5),
        search=SearchAttributes(registered=False),
    )
    claims, _ = await claim(engine, NEW, terms, Cursor())
    for name in {claimed.run_id for claimed in claims}:
        await handoff.start([claimed for claimed in claims if claimed.run_id == name])


@only("single", because="the test hands off a group and a row by itself")
async def test_a_foreign_worker_changes_nothing_and_takes_nothing(
    ours: Deployment, other: Deployment, engine: Engine, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """It sends only its own rows; ours wait unchanged, and are sent once our own worker comes."""
    due(ours.db, 3)
    due(other.db, 3)
    await handed_off(engine, ours.environment)
    before = ours.db.execute(ROWS).fetchall()
    with running_worker(tmp_path, "foreign", **other.environment) as foreign:
        foreign.until_logged("another deployment shares our task queue")
        until_settled(other.db)
        assert_kept(other.db, novu_standin)
        assert ours.db.execute(ROWS).fetchall() == before
        assert foreign.stop() == 0

    with running_worker(tmp_path, "ours", **ours.environment):
        until_settled(ours.db)
    assert_kept(ours.db, novu_standin)
    assert deliveries(ours.db, novu_standin) == [1] * 3
    assert tried(ours.db) == [{"attempt": 1, "failure_count": 0, "lapses": 0}]
