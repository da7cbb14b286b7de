"""What a real Temporal knows of a run."""

import pytest
from temporalio.client import Client

from tests.support.delivering import a_claimed
from tests.support.executing import Executing, claims_of, handoff_of
from tests.support.novu import NovuStandIn
from tests.support.rows import Db, a_workflow
from tests.support.waiting import eventually
from xnovu_poller.errors import TemporalError
from xnovu_poller.lifecycle import Attempt, Claim
from xnovu_poller.temporal.delivery.history import read_run


async def test_a_run_has_its_starter_and_its_tries(
    executor: Executing, db: Db, novu_standin: NovuStandIn, client: Client
) -> None:
    """The first is local, the next regular; each names its process."""
    novu_standin.fault("accept_then_reset", times=1)
    [claim] = claims_of(db, [a_claimed(db)])
    await executor.finish(claim)

    run = await read_run(client, claim.run_id)

    assert run is not None
    assert (run.state, run.notifications, run.error) == ("COMPLETED", 1, None)
    assert [(each.local, each.worker, each.error is None) for each in run.tries] == [
        (True, client.identity, False),
        (False, client.identity, True),
    ]
    assert run.started_by == client.identity
    assert run.tries[0].error == "unfinished: delivery: left for the next try: 1"
    assert run.closed_at is not None


async def test_a_run_that_failed_or_was_terminated_has_the_reason(
    executor: Executing, db: Db, client: Client, task_queue: str
) -> None:
    """The run of a DEAD notification fails; a run without an executor stays open until somebody ends it."""
    [claim] = claims_of(db, [a_claimed(db, workflow=a_workflow(db, key="draft", publish_status="DRAFT"))])
    waiting = Claim(Attempt(1, 1), "acme", "plain", f"{task_queue}-notification-1-1", 0)
    await handoff_of(client, f"{task_queue}-empty").start([waiting])
    await executor.finish(claim)

    died, still = await read_run(client, claim.run_id), await read_run(client, waiting.run_id)
    await client.get_workflow_handle(waiting.run_id).terminate()
    ended = await eventually(lambda: read_run(client, waiting.run_id))

    assert died is not None
    assert died.state == "FAILED"
    assert died.error is not None
    assert died.error.startswith("workflow_not_found: ")
    assert still is not None
    assert (still.state, still.tries, still.closed_at) == ("RUNNING", [], None)
    assert ended is not None
    assert (ended.state, ended.error) == ("TERMINATED", f"terminated by {client.identity}")


async def test_a_run_that_temporal_does_not_have_is_none(client: Client) -> None:
    """A namespace that it does not have is an error."""
    assert await read_run(client, "no-such-run") is None
    elsewhere = Client(client.service_client, namespace="no-such-namespace")
    with pytest.raises(TemporalError):
        await read_run(elsewhere, "no-such-run")
