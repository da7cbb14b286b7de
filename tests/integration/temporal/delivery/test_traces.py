"""The traces of a deployment in a real Temporal: which attempts it has had workflows for."""

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
    """A deployment of which Temporal knows nothing yet."""
    return uuid4()


@pytest.fixture
def handoff(client: Client, task_queue: str, deployment: UUID) -> Handoff:
    """Its handoff, to a queue where nobody listens."""
    return Handoff(
        client,
        task_queue=task_queue,
        deployment=deployment,
        call=CALL,
        search=SearchAttributes(registered=False),
    )


def single(deployment: UUID, attempt: Attempt) -> Claim:
    """Make a claim whose workflow carries it alone."""
    name = f"{contract.prefix(deployment)}-notification-{attempt.notification_id}-{attempt.number}"
    return Claim(attempt, "acme", None, name, 0)


def group(deployment: UUID, *attempts: Attempt) -> list[Claim]:
    """Make claims that share a workflow."""
    name = f"{contract.prefix(deployment)}-notifications-{uuid4()}"
    return [Claim(attempt, "acme", None, name, 0) for attempt in attempts]


async def seen(client: Client, deployment: UUID, *attempts: Attempt) -> list[Attempt]:
    """Wait until these are seen, for visibility lags behind; give all that is."""

    async def there() -> list[Attempt]:
        found = await traces.newest_attempts(client, deployment, None)
        return found if {*attempts} <= {*found} else []

    return await eventually(there)


async def test_singles_are_told_by_their_ids_and_groups_by_their_input(
    client: Client, handoff: Handoff, deployment: UUID
) -> None:
    """Open or closed; and nothing of another deployment, whose name may begin alike."""
    other = UUID(int=deployment.int ^ (1 << 100))
    attempts = [Attempt(1, 1), Attempt(1, 2), Attempt(10**15, 7)]
    shared = group(deployment, Attempt(5, 1), Attempt(6, 3))
    for attempt in attempts:
        await handoff.start([single(deployment, attempt)])
    await handoff.start(shared)
    await handoff.start([single(other, Attempt(99, 1))])
    await client.get_workflow_handle(single(deployment, Attempt(1, 1)).run_id).terminate()

    found = await seen(client, deployment, *attempts, Attempt(5, 1), Attempt(6, 3))

    assert sorted(found) == sorted([*attempts, Attempt(5, 1), Attempt(6, 3)])
    assert await traces.newest_attempts(client, UUID(int=deployment.int ^ (1 << 127)), None) == []


async def test_what_is_older_than_the_database_is_left_out(
    client: Client, handoff: Handoff, deployment: UUID
) -> None:
    """It belongs to the original's time."""
    await handoff.start([single(deployment, Attempt(1, 1))])
    await seen(client, deployment, Attempt(1, 1))
    now = datetime.now(UTC)

    assert await traces.newest_attempts(client, deployment, now - timedelta(hours=1)) == [Attempt(1, 1)]
    assert await traces.newest_attempts(client, deployment, now + timedelta(hours=1)) == []


async def test_the_newest_are_looked_at_and_no_more(
    client: Client, handoff: Handoff, deployment: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are: a start costs a few calls."""
    monkeypatch.setattr(traces, "NEWEST", 3)
    monkeypatch.setattr(traces, "NEWEST_GROUPS", 1)
    for number in range(1, 4):
        await handoff.start([single(deployment, Attempt(number, 1))])
        await seen(client, deployment, Attempt(number, 1))
    for number in range(4, 6):
        await handoff.start(group(deployment, Attempt(number, 1)))
        await seen(client, deployment, Attempt(number, 1))

    assert sorted(await traces.newest_attempts(client, deployment, None)) == [Attempt(3, 1), Attempt(5, 1)]


async def test_foreign_ids_under_our_name_say_nothing(
    client: Client, task_queue: str, handoff: Handoff, deployment: UUID
) -> None:
    """Whoever starts workflows by hand may call them anything."""
    name = contract.prefix(deployment)
    for foreign in ("notification-1", "notification-x-1", "notifications-all", "notification-1-1-again"):
        await client.start_workflow("theirs", id=f"{name}-{foreign}", task_queue=task_queue)
    await handoff.start([single(deployment, Attempt(1, 1))])

    assert await seen(client, deployment, Attempt(1, 1)) == [Attempt(1, 1)]


@pytest.mark.parametrize(
    "status", [RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.UNIMPLEMENTED]
)
async def test_where_we_may_not_look_we_go_without(
    client: Client, deployment: UUID, monkeypatch: pytest.MonkeyPatch, status: RPCStatusCode
) -> None:
    """A missing right is no reason not to start."""
    refusing(client, monkeypatch, status)

    assert await traces.newest_attempts(client, deployment, None) == []


async def test_without_an_answer_nothing_is_known(
    client: Client, deployment: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The start waits: a copy is not to slip through an outage."""
    refusing(client, monkeypatch, RPCStatusCode.RESOURCE_EXHAUSTED)

    with pytest.raises(TemporalUnavailable):
        await traces.newest_attempts(client, deployment, None)


def refusing(client: Client, monkeypatch: pytest.MonkeyPatch, status: RPCStatusCode) -> None:
    """Let Temporal refuse to list anything; its dev server knows no logins."""

    async def refuse(*_: object, **__: object) -> None:
        await asyncio.sleep(0)
        raise RPCError("their words", status, b"")

    monkeypatch.setattr(client.workflow_service, "list_workflow_executions", refuse)
