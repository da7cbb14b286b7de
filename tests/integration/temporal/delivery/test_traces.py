"""The traces of a deployment in a real Temporal: the attempts that it has had runs for."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from tests.support.executing import CALL
from tests.support.waiting import eventually
from xnovu_poller.errors import TemporalUnavailable
from xnovu_poller.lifecycle import Attempt, Claim
from xnovu_poller.temporal import contract
from xnovu_poller.temporal.delivery import traces
from xnovu_poller.temporal.delivery.handoff import Handoff
from xnovu_poller.temporal.search import SearchAttributes


@pytest.fixture
def deployment() -> UUID:
    """A deployment that Temporal does not know yet."""
    return uuid4()


@pytest.fixture
def handoff(client: Client, task_queue: str, deployment: UUID) -> Handoff:
    """The deployment's handoff, to a queue without a worker."""
    return Handoff(
        client,
        task_queue=task_queue,
        deployment=deployment,
        call=CALL,
        search=SearchAttributes(registered=False),
    )


def single(deployment: UUID, attempt: Attempt) -> Claim:
    """Return a claim with a run of its own."""
    name = f"{contract.prefix(deployment)}-notification-{attempt.notification_id}-{attempt.number}"
    return Claim(attempt, "acme", None, name, 0)


def group(deployment: UUID, *attempts: Attempt) -> list[Claim]:
    """Return claims that share a run."""
    name = f"{contract.prefix(deployment)}-notifications-{uuid4()}"
    return [Claim(attempt, "acme", None, name, 0) for attempt in attempts]


async def until_seen(client: Client, deployment: UUID, *attempts: Attempt) -> list[Attempt]:
    """Wait until Temporal lists these attempts, because visibility lags; return all that it lists."""

    async def all_seen() -> list[Attempt]:
        found = await traces.newest_attempts(client, deployment, None)
        return found if {*attempts} <= {*found} else []

    return await eventually(all_seen)


async def test_single_runs_are_read_from_their_ids_and_groups_from_their_input(
    client: Client, handoff: Handoff, deployment: UUID
) -> None:
    """Open or closed; but no run of another deployment, even if its name begins alike."""
    other = UUID(int=deployment.int ^ (1 << 100))
    attempts = [Attempt(1, 1), Attempt(1, 2), Attempt(10**15, 7)]
    shared = group(deployment, Attempt(5, 1), Attempt(6, 3))
    for attempt in attempts:
        await handoff.start([single(deployment, attempt)])
    await handoff.start(shared)
    await handoff.start([single(other, Attempt(99, 1))])
    await client.get_workflow_handle(single(deployment, Attempt(1, 1)).run_id).terminate()

    found = await until_seen(client, deployment, *attempts, Attempt(5, 1), Attempt(6, 3))

    assert sorted(found) == sorted([*attempts, Attempt(5, 1), Attempt(6, 3)])
    assert await traces.newest_attempts(client, UUID(int=deployment.int ^ (1 << 127)), None) == []


async def test_runs_older_than_the_database_are_left_out(
    client: Client, handoff: Handoff, deployment: UUID
) -> None:
    """They belong to the original deployment."""
    await handoff.start([single(deployment, Attempt(1, 1))])
    await until_seen(client, deployment, Attempt(1, 1))
    now = datetime.now(UTC)

    assert await traces.newest_attempts(client, deployment, now - timedelta(hours=1)) == [Attempt(1, 1)]
    assert await traces.newest_attempts(client, deployment, now + timedelta(hours=1)) == []


async def test_only_the_newest_runs_are_read(
    client: Client, handoff: Handoff, deployment: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With any number of runs a start costs only a few calls."""
    monkeypatch.setattr(traces, "NEWEST", 3)
    monkeypatch.setattr(traces, "NEWEST_GROUPS", 1)
    for number in range(1, 4):
        await handoff.start([single(deployment, Attempt(number, 1))])
        await until_seen(client, deployment, Attempt(number, 1))
    for number in range(4, 6):
        await handoff.start(group(deployment, Attempt(number, 1)))
        await until_seen(client, deployment, Attempt(number, 1))

    assert sorted(await traces.newest_attempts(client, deployment, None)) == [Attempt(3, 1), Attempt(5, 1)]


async def test_foreign_ids_under_our_name_are_ignored(
    client: Client, task_queue: str, handoff: Handoff, deployment: UUID
) -> None:
    """Somebody who starts workflows by hand may give them any id."""
    name = contract.prefix(deployment)
    for foreign in ("notification-1", "notification-x-1", "notifications-all", "notification-1-1-again"):
        await client.start_workflow("theirs", id=f"{name}-{foreign}", task_queue=task_queue)
    await handoff.start([single(deployment, Attempt(1, 1))])

    assert await until_seen(client, deployment, Attempt(1, 1)) == [Attempt(1, 1)]


@pytest.mark.parametrize(
    "status", [RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.UNIMPLEMENTED]
)
async def test_without_the_right_to_list_there_are_no_traces(
    client: Client, deployment: UUID, monkeypatch: pytest.MonkeyPatch, status: RPCStatusCode
) -> None:
    """A missing right does not keep the worker from starting."""
    refuse_to_list(client, monkeypatch, status)

    assert await traces.newest_attempts(client, deployment, None) == []


async def test_without_an_answer_the_traces_are_unknown(
    client: Client, deployment: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The start waits, so that a copy cannot slip through during an outage."""
    refuse_to_list(client, monkeypatch, RPCStatusCode.RESOURCE_EXHAUSTED)

    with pytest.raises(TemporalUnavailable):
        await traces.newest_attempts(client, deployment, None)


def refuse_to_list(client: Client, monkeypatch: pytest.MonkeyPatch, status: RPCStatusCode) -> None:
    """Make Temporal refuse to list anything, because its dev server has no logins."""

    async def refuse(*_: object, **__: object) -> None:
        await asyncio.sleep(0)
        raise RPCError("their words", status, b"")

    monkeypatch.setattr(client.workflow_service, "list_workflow_executions", refuse)
