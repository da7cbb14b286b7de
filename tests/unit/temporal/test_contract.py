"""The inputs that travel through Temporal, and the timeouts that follow from the longest call."""

from dataclasses import fields, replace
from datetime import datetime, timedelta, timezone
from uuid import UUID

import pytest
from temporalio.converter import DataConverter

from xnovu_poller.errors import XnovuError
from xnovu_poller.lifecycle import Attempt
from xnovu_poller.temporal import contract
from xnovu_poller.temporal.contract import LONGEST_TASK, ChoresInput, DeliverInput, FireInput

CALLS = [timedelta(milliseconds=100), timedelta(seconds=10), timedelta(seconds=110)]
LONG = timedelta(seconds=300)


def of(*attempts: Attempt, call: timedelta = timedelta(seconds=10)) -> DeliverInput:
    """Return an input with these attempts."""
    return DeliverInput("d", contract.pack(attempts), None, call.total_seconds())


async def test_the_input_comes_out_as_it_went_in() -> None:
    """Temporal keeps it as JSON."""
    work = DeliverInput(
        "d", contract.pack([Attempt(1, 2), Attempt(2**53 - 1, 3)]), "acme", 0.4, searchable=True
    )
    payloads = await DataConverter.default.encode([work])

    assert await DataConverter.default.decode(payloads, [DeliverInput]) == [work]
    assert work.read_attempts() == [Attempt(1, 2), Attempt(2**53 - 1, 3)]


async def test_an_input_of_an_older_version_can_be_read() -> None:
    """Open runs survive an upgrade."""
    old = {"deployment": "d", "attempts": [[1, 1], [7, 2]], "enterprise_id": None, "call_seconds": 1.0}
    payloads = await DataConverter.default.encode([old])

    [work] = await DataConverter.default.decode(payloads, [DeliverInput])
    assert work == DeliverInput("d", [[1, 1], [7, 2]], None, 1.0)
    assert work.read_attempts() == [Attempt(1, 1), Attempt(7, 2)]


@pytest.mark.parametrize(
    ("attempts", "packed"),
    [
        ([Attempt(17, 1)], "17:1"),
        ([Attempt(20, 2), Attempt(17, 1), Attempt(18, 1), Attempt(19, 1)], "17-19:1,20:2"),
        ([Attempt(1, 3), Attempt(3, 3)], "1:3,3:3"),
        ([Attempt(number, 1) for number in range(9_000, 11_000)], "9000-10999:1"),
    ],
)
def test_attempts_travel_as_a_short_text(attempts: list[Attempt], packed: str) -> None:
    """The ids of a claim are mostly neighbours."""
    assert contract.pack(attempts) == packed
    assert of(*attempts).read_attempts() == sorted(attempts)
    assert of(*attempts).single == (len(attempts) == 1)


@pytest.mark.parametrize("packed", ["1-99999999999:1", "1-1000:1,2001-3001:2", "1-2:x", ""])
def test_attempts_that_cannot_be_read_or_are_too_many_are_refused(packed: str) -> None:
    """No group is that large, and a range of any size would fill the memory."""
    with pytest.raises(XnovuError, match=r"^input: "):
        DeliverInput("d", packed, None, 1.0).read_attempts()


def test_nothing_but_these_fields_travels() -> None:
    """No payload, no recipient, no secret: if you add a field, check that it is none of these."""
    names = {field.name for field in fields(DeliverInput)}
    assert names == {"deployment", "attempts", "enterprise_id", "call_seconds", "searchable", "fails_if_dead"}


@pytest.mark.parametrize(
    ("travels", "names"),
    [
        (FireInput, {"deployment", "rule_id", "at", "fired_at"}),
        (ChoresInput, {"deployment", "workflows", "checks"}),
    ],
    ids=["rule", "chores"],
)
def test_nothing_but_these_fields_travels_for_rules_and_chores(
    travels: type[FireInput | ChoresInput], names: set[str]
) -> None:
    """No payload, no recipient, no secret: if you add a field, check that it is none of these."""
    assert {field.name for field in fields(travels)} == names


def test_ids_of_schedules_and_runs_begin_with_the_deployment() -> None:
    """It is spelt as Temporal spells it, because a late one-time rule fires under it."""
    deployment = UUID("12345678-9abc-4def-8123-456789abcdef")
    name = contract.rule_schedule_id(deployment, 7)

    assert name == "12345678-rule-7"
    assert name.startswith(contract.rule_schedule_prefix(deployment))
    assert contract.chore_schedule_id(deployment) == "12345678-chores"
    at = datetime(2026, 11, 22, 17, tzinfo=timezone(timedelta(hours=8)))
    assert contract.scheduled_run_id(name, at) == "12345678-rule-7-2026-11-22T09:00:00Z"


def test_the_deployment_has_a_short_name() -> None:
    """It keeps two deployments apart on one Temporal."""
    assert contract.prefix(UUID("12345678-9abc-4def-8123-456789abcdef")) == "12345678"


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_a_local_activity_has_time_for_a_call_and_ends_before_its_task(call: timedelta) -> None:
    """Otherwise the task would be given to another worker while it runs."""
    assert of(Attempt(1, 1), call=call).begins_locally
    assert call < contract.local_timeout(call) < contract.task_timeout(call) <= LONGEST_TASK


def test_a_call_that_fits_into_no_task_is_not_tried_locally() -> None:
    """It would be cut off in the middle of each send, and end as poison."""
    long = of(Attempt(1, 1), call=LONG)

    assert not long.begins_locally
    assert long.regular_tries == 3
    assert contract.task_timeout(LONG) == LONGEST_TASK


@pytest.mark.parametrize("call", [*CALLS, LONG], ids=str)
def test_a_regular_activity_has_time_for_its_budget_and_one_more_call(call: timedelta) -> None:
    """The budget of the activity is this timeout less two calls."""
    assert contract.regular_timeout(call) - 2 * call > call or call == LONG
    assert contract.heartbeat_timeout(call) >= timedelta(seconds=10)
    assert 3 * contract.regular_timeout(call) < contract.EXECUTION_TIMEOUT


@pytest.mark.parametrize(
    "attempts", [[Attempt(1, 1)], [Attempt(1, 1), Attempt(2, 1)]], ids=["single", "group"]
)
def test_an_attempt_has_three_tries(attempts: list[Attempt]) -> None:
    """One local and two regular; none is local where a call fits into no workflow task."""
    usual, slow = of(*attempts), replace(of(*attempts), call_seconds=115.0)

    assert (usual.begins_locally, usual.regular_tries) == (True, 2)
    assert (slow.begins_locally, slow.regular_tries) == (False, 3)
