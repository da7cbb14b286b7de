"""Temporal refuses every call (RESOURCE_EXHAUSTED): rows wait, and none is failed for it."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from typing_extensions import override

from tests.support.disaster import SOON, assert_nobody_died, assert_unharmed, due, said, sent
from tests.support.modes import only
from tests.support.novu import NovuStandIn
from tests.support.rows import Db, a_workflow
from tests.support.temporal import temporal_of
from tests.support.worker import running_worker
from xnovu_poller.dev.temporal import Temporal

Told = Mapping[str, str]


class Limited(Temporal):
    """A Temporal that grants a namespace no call, if it is started so."""

    has_had_enough = False

    @override
    def _options(self) -> list[str]:
        limit = ["--dynamic-config-value", "frontend.namespaceRPS=0"]
        return super()._options() + (limit if self.has_had_enough else [])

    def restart(self, *, has_had_enough: bool) -> None:
        """Start it again on what it kept, with or without the limit."""
        self.stop()
        self.has_had_enough = has_had_enough
        self.start()


@pytest.fixture
def limited_temporal() -> Iterator[Limited]:
    """Run it, without its limit."""
    with temporal_of(Limited, keep=True) as server:
        yield server


@pytest.fixture
def temporal_address(limited_temporal: Limited) -> str:
    """Let the worker work with it."""
    return limited_temporal.address


@only("single", because="the start of a group's workflow is refused as any other")
def test_rows_wait_for_a_place(
    limited_temporal: Limited, db: Db, worker_environment: Told, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """The worker says what Temporal says, and goes on by itself."""
    with running_worker(tmp_path, **worker_environment, **SOON) as worker:
        workflow = a_workflow(db)
        sent(db, due(db, workflow))
        limited_temporal.restart(has_had_enough=True)
        due(db, workflow)
        said(worker, "temporal", "RESOURCE_EXHAUSTED")
        limited_temporal.restart(has_had_enough=False)
        due(db, workflow)
        assert_unharmed(db, novu_standin, worker)
        assert_nobody_died(db)
