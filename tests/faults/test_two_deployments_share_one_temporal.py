"""Two deployments by mistake share a Temporal namespace, a task queue and a Novu key."""

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

Told = dict[str, str]

ROWS = "SELECT * FROM notify.ent_notification ORDER BY id"
TRIED = "SELECT DISTINCT attempt, failure_count, lapses FROM notify.ent_notification"


@dataclass(frozen=True, slots=True)
class Deployment:
    """One of the two: its database, and what its worker is told."""

    db: Db
    environment: Told


@pytest.fixture
def ours(db: Db, worker_environment: Told) -> Deployment:
    """The one."""
    return Deployment(db, worker_environment)


@pytest.fixture
def other(postgres_server: Postgres, worker_environment: Told) -> Iterator[Deployment]:
    """The other; all but the database is the same."""
    with migrated_copy(postgres_server) as url, open_db(url) as db:
        yield Deployment(db, {**worker_environment, "DATABASE_URL": url})


def due(db: Db, count: int) -> None:
    """Insert due notifications of a workflow."""
    workflow = a_workflow(db)
    with db.transaction():
        notifications(db, count)
        db.execute("UPDATE notify.ent_notification SET notification_workflow_id = %s", [workflow])


def tried(db: Db) -> list[dict[str, Any]]:
    """Say how often rows were tried, and what was held against them."""
    return db.execute(TRIED).fetchall()


def test_each_sends_its_own_exactly_once(
    ours: Deployment, other: Deployment, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """Whichever executor a task falls to; a refusal is neither an attempt nor a failure."""
    with ExitStack() as workers:
        for name, one in (("ours", ours), ("other", other)):
            due(one.db, 6)
            workers.enter_context(running_worker(tmp_path, name, **one.environment))
        # By chance a group may meet strangers a few times in a row.
        until_settled(ours.db, within=100)
        until_settled(other.db, within=100)

    for one in (ours, other):
        assert_kept(one.db, novu_standin)
        assert deliveries(one.db, novu_standin) == [1] * 6
        assert tried(one.db) == [{"attempt": 1, "failure_count": 0, "lapses": 0}]


async def handed_off(engine: Engine, environment: Told) -> None:
    """Claim what is due, in groups of two, and start its workflows, as a loop does; then the worker is gone."""
    whose = await identity.read_deployment(engine)
    terms = Terms(
        prefix=contract.prefix(whose.id),
        batch=10,
        group_size=2,
        max_in_flight=10,
        lease=timedelta(minutes=5),
    )
    handoff = Handoff(
        await Client.connect(environment["TEMPORAL_ADDRESS"]),
        task_queue=environment["TEMPORAL_TASK_QUEUE"],
        deployment=whose.id,
        call=timedelta(seconds=5),
        search=SearchAttributes(registered=False),
    )
    claims, _ = await claim(engine, NEW, terms, Cursor())
    for name in {one.run_id for one in claims}:
        await handoff.start([one for one in claims if one.run_id == name])


@only("single", because="what is handed off here is a group and a single one")
async def test_a_stranger_alone_changes_nothing_and_takes_nothing(
    ours: Deployment, other: Deployment, engine: Engine, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """It sends its own; our group and our single one wait untouched, and go on once our own worker comes."""
    due(ours.db, 3)
    due(other.db, 3)
    await handed_off(engine, ours.environment)
    before = ours.db.execute(ROWS).fetchall()
    with running_worker(tmp_path, "stranger", **other.environment) as stranger:
        stranger.until_logged("another deployment shares our task queue")
        until_settled(other.db)
        assert_kept(other.db, novu_standin)
        assert ours.db.execute(ROWS).fetchall() == before
        assert stranger.stop() == 0

    with running_worker(tmp_path, "ours", **ours.environment):
        until_settled(ours.db)
    assert_kept(ours.db, novu_standin)
    assert deliveries(ours.db, novu_standin) == [1] * 3
    assert tried(ours.db) == [{"attempt": 1, "failure_count": 0, "lapses": 0}]
