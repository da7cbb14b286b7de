"""Temporal refuses every call (RESOURCE_EXHAUSTED): rows wait, and none fails because of it."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from typing_extensions import override

from tests.support.disaster import SOON, assert_nobody_died, assert_unharmed, due, sent, wait_until_unhealthy
from tests.support.modes import only
from tests.support.novu import NovuStandIn
from tests.support.rows import Db, a_workflow
from tests.support.temporal import temporal_of
from tests.support.worker import running_worker
from xnovu_poller.dev.temporal import Temporal

Environment = Mapping[str, str]


class Limited(Temporal):
    """A Temporal server that can be started with a limit of no calls."""

    is_limited = False

    @override
    def _options(self) -> list[str]:
        limit = ["--dynamic-config-value", "frontend.namespaceRPS=0"]
        return super()._options() + (limit if self.is_limited else [])

    def restart(self, *, is_limited: bool) -> None:
        """Start it again with its stored data, with or without the limit."""
        self.stop()
        self.is_limited = is_limited
        self.start()


@pytest.fixture
def limited_temporal() -> Iterator[Limited]:
    """Run it without its limit."""
    with temporal_of(Limited, keep=True) as server:
        yield server


@pytest.fixture
def temporal_address(limited_temporal: Limited) -> str:
    """Return its address, so that the worker uses it."""
    return limited_temporal.address


@only("single", because="the start of a group's workflow is refused like any other")
def test_rows_wait_until_temporal_accepts_calls(
    limited_temporal: Limited,
    db: Db,
    worker_environment: Environment,
    novu_standin: NovuStandIn,
    tmp_path: Path,
) -> None:
    """The worker shows Temporal's reason, and resumes by itself."""
    with running_worker(tmp_path, **worker_environment, **SOON) as worker:
        workflow = a_workflow(db)
        sent(db, due(db, workflow))
        limited_temporal.restart(is_limited=True)
        due(db, workflow)
        wait_until_unhealthy(worker, "temporal", "is at its limit (RPS_LIMIT)")
        limited_temporal.restart(is_limited=False)
        due(db, workflow)
        assert_unharmed(db, novu_standin, worker)
        assert_nobody_died(db)
