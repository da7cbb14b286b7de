"""Temporal starts anew with an empty database: its schedules come back by themselves, and rules fire again."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.disaster import assert_nobody_died, assert_unharmed
from tests.support.modes import only
from tests.support.novu import NovuStandIn
from tests.support.rows import Db, a_rule, a_workflow, rewritten
from tests.support.scheduling import made_by
from tests.support.temporal import temporal_of
from tests.support.waiting import wait_until
from tests.support.worker import running_worker
from xnovu_poller.dev.temporal import Temporal


@pytest.fixture
def forgetful_temporal() -> Iterator[Temporal]:
    """Run a server of the test's own that keeps nothing over a restart on the same port."""
    with temporal_of(Temporal) as server:
        yield server


@pytest.fixture
def temporal_address(forgetful_temporal: Temporal) -> str:
    """Return the address of the server that the test restarts."""
    return forgetful_temporal.address


@only("single", because="no schedule depends on the size of a group")
def test_rules_fire_again_within_an_interval(
    forgetful_temporal: Temporal,
    db: Db,
    worker_environment: Mapping[str, str],
    novu_standin: NovuStandIn,
    tmp_path: Path,
) -> None:
    """Nobody asks /health, and no rule changes: the worker itself looks for the schedule of the chores."""
    rule = a_rule(db, workflow=a_workflow(db), trigger_config={"cron": "* * * * * *"})
    with running_worker(tmp_path, **worker_environment, RULE_POLL_INTERVAL_MS="2000") as worker:
        wait_until(lambda: made_by(db, rule))
        forgetful_temporal.stop()
        before = {made["id"] for made in made_by(db, rule)}
        forgetful_temporal.start()

        wait_until(lambda: {made["id"] for made in made_by(db, rule)} - before)

        rewritten(db, rule, deactivated=True)
        assert_unharmed(db, novu_standin, worker)
        assert_nobody_died(db)
        assert worker.stop() == 0
