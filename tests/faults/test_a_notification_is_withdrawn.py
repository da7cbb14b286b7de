"""A producer takes a notification back, at every stage of its way: the row tells the truth of what went out."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.modes import Mode, only, together
from tests.support.novu import NovuStandIn
from tests.support.promise import assert_kept, unsettled, until_settled
from tests.support.proxy import Proxy, proxied
from tests.support.rows import Db, a_notification, a_workflow, row
from tests.support.waiting import eventually, wait_until
from tests.support.worker import running_worker
from xnovu_poller.dev.ports import LOOPBACK
from xnovu_poller.lifecycle import Status

Told = Mapping[str, str]

REASON = "changed my mind"

TO_CANCEL = """
SELECT FROM notify.ent_notification
WHERE notification_status = 'SENT' AND retract_requested_at IS NOT NULL AND error_details IS NULL"""


def retract(db: Db, notification_id: int) -> str:
    """Ask for it as a producer does; give the state that it is told."""
    found = db.execute("SELECT notify.retract(%s, %s)::text AS status", [notification_id, REASON]).fetchone()
    assert found is not None
    status: str = found["status"]
    return status


def ending(db: Db, notification_id: int) -> tuple[str, str | None, dict[str, Any] | None]:
    """Give state, reason and details of a notification."""
    kept = row(db, notification_id)
    return kept["notification_status"], kept["retraction_reason"], kept["error_details"]


@only("single", because="it is in no group")
def test_before_a_claim_and_between_attempts_it_is_withdrawn_at_once(
    db: Db, worker_environment: Told, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """PENDING and FAILED: the worker never sends them, though it sends what came after."""
    workflow = a_workflow(db)
    made = [
        a_notification(db, workflow=workflow, status=status) for status in (Status.PENDING, Status.FAILED)
    ]
    assert [retract(db, one) for one in made] == ["RETRACTED", "RETRACTED"]
    a_notification(db, workflow=workflow, recipients=["the next"])
    with running_worker(tmp_path, **worker_environment):
        until_settled(db)

    assert [ending(db, one) for one in made] == [("RETRACTED", REASON, None)] * 2
    assert [subscriber for _, subscriber in novu_standin.deliveries()] == ["the next"]
    assert_kept(db, novu_standin)


async def test_between_its_claim_and_its_send_it_is_withdrawn_at_once(
    db: Db, mode: Mode, worker_environment: Told, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """PROCESSING, its workflow on the way to Temporal: that arrives late, and sends nothing."""
    workflow = a_workflow(db)
    async with proxied(f"tcp://{worker_environment['TEMPORAL_ADDRESS']}") as proxy:
        environment = {**worker_environment, "TEMPORAL_ADDRESS": f"{LOOPBACK}:{proxy.port}"}
        with running_worker(tmp_path, **environment) as worker:
            await asyncio.to_thread(worker.until_logged, "worker started")
            proxy.hang()
            made, *mates = together(db, mode, workflow)
            await eventually(lambda: row(db, made)["notification_status"] == "PROCESSING")
            assert retract(db, made) == "RETRACTED"
            proxy.mend()
            a_notification(db, workflow=workflow, recipients=["the next"])
            await eventually(lambda: sum(novu_standin.deliveries().values()) == 1 + len(mates))

            async def late() -> bool:
                return await asyncio.to_thread(worker.metric, "xnovu_notifications_late_total") == 1

            await eventually(late)
            await asyncio.to_thread(until_settled, db)

    assert ending(db, made) == ("RETRACTED", REASON, None)
    transactions = {row(db, one)["transaction_id"] for one in mates}
    assert {(t, s) for t, s in novu_standin.deliveries() if s != "the next"} == {
        (transaction, "subscriber-1") for transaction in transactions
    }
    assert_kept(db, novu_standin)


@only("single", because="of a group the answer to each event decides: two tests further on")
async def test_during_its_send_the_answer_decides(
    db: Db, worker_environment: Told, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """The calls are on their way when the producer asks: what went out is SENT, and nothing else goes out."""
    novu_standin.fault("status", status=503, match={"workflow": "unavailable"}, times=None)
    async with proxied(novu_standin.url) as proxy:
        made = await withdrawn_during_their_sends(
            db, worker_environment, tmp_path, proxy, ("accepted", "unavailable")
        )

    assert {key: ending(db, one) for key, one in made.items()} == {
        "accepted": ("SENT", REASON, {"cancel": "nothing_left"}),
        "unavailable": ("RETRACTED", REASON, None),
    }
    assert set(novu_standin.deliveries()) == {(row(db, made["accepted"])["transaction_id"], "subscriber-1")}
    assert_kept(db, novu_standin)


@only("single", because="the next test has both")
async def test_during_a_send_that_novu_refuses_for_good_it_is_withdrawn_too(
    db: Db, worker_environment: Told, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """Nothing went out, and whoever revives what is DEAD does not send what its producer has withdrawn."""
    novu_standin.fault("status", status=422)
    async with proxied(novu_standin.url) as proxy:
        made = await withdrawn_during_their_sends(db, worker_environment, tmp_path, proxy, ("refused",))

    assert ending(db, made["refused"]) == ("RETRACTED", REASON, None)
    assert novu_standin.deliveries() == {}
    assert_kept(db, novu_standin)


@only("group", because="in singles each call is of its own notification")
async def test_during_the_send_of_a_group_the_answer_to_each_event_decides(
    db: Db, worker_environment: Told, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """All are in one call when the producer takes two of them back: the others never notice."""
    novu_standin.fault("verdict", verdict="error", match={"workflow": "refused"})
    async with proxied(novu_standin.url) as proxy:
        made = await withdrawn_during_their_sends(
            db, worker_environment, tmp_path, proxy, ("accepted", "refused"), mates=98
        )

    assert {key: ending(db, one) for key, one in made.items()} == {
        "accepted": ("SENT", REASON, {"cancel": "nothing_left"}),
        "refused": ("RETRACTED", REASON, None),
    }
    assert novu_standin.stats()["deliveries"] == 99
    assert_kept(db, novu_standin)


async def withdrawn_during_their_sends(
    db: Db, environment: Told, folder: Path, proxy: Proxy, keys: Sequence[str], mates: int = 0
) -> dict[str, int]:
    """Insert a notification of each workflow, and withdraw all when their calls have begun and none is answered.

    With mates, which are left alone, all are in one call.
    """
    proxy.hang()
    address = {"NOVU_API_URL": f"http://{LOOPBACK}:{proxy.port}"}
    with running_worker(folder, **{**environment, **address}):
        with db.transaction():
            made = {key: a_notification(db, workflow=a_workflow(db, key=key)) for key in keys}
            others = a_workflow(db, key="others")
            for _ in range(mates):
                a_notification(db, workflow=others)
        # Two ends a connection, one connection a call.
        await eventually(lambda: len(proxy._writers) == (2 if mates else 2 * len(made)))
        assert [retract(db, one) for one in made.values()] == ["PROCESSING"] * len(made)
        proxy.mend()
        await asyncio.to_thread(until_settled, db)
        # Of what was sent Novu is asked whether it can still be stopped.
        await eventually(lambda: db.execute(TO_CANCEL).rowcount == 0)
    return made


@pytest.fixture
def both(db: Db, novu_standin: NovuStandIn) -> dict[str, int]:
    """Insert a notification that Novu holds back, and one that it delivers at once."""
    novu_standin.workflow("delayed", delayed=True)
    with db.transaction():
        return {key: a_notification(db, workflow=a_workflow(db, key=key)) for key in ("delayed", "prompt")}


def test_after_an_unknown_outcome_novu_is_asked_to_cancel(
    db: Db, worker_environment: Told, novu_standin: NovuStandIn, tmp_path: Path, both: dict[str, int]
) -> None:
    """Whatever comes of that: RETRACTED, and the row says that its delivery is unknown."""
    novu_standin.fault("accept_then_reset", times=None)
    with running_worker(tmp_path, **worker_environment):
        wait_until(lambda: all(row(db, one)["unknown_outcomes"] > 0 for one in both.values()))
        for one in both.values():
            assert retract(db, one) in {"PROCESSING", "FAILED"}
        until_settled(db)

    told = ("RETRACTED", REASON, {"delivery": "unknown"})
    assert [ending(db, one) for one in both.values()] == [told, told]
    assert_only_the_prompt_one_is_delivered(db, novu_standin, both)


@pytest.mark.parametrize("delayed", [True, False], ids=["delayed", "prompt"])
def test_after_a_gateways_error_novu_is_asked_to_cancel(
    db: Db,
    mode: Mode,
    worker_environment: Told,
    novu_standin: NovuStandIn,
    tmp_path: Path,
    *,
    delayed: bool,
) -> None:
    """504: the gateway had passed the call on, and Novu has accepted it."""
    novu_standin.workflow("any", delayed=delayed)
    novu_standin.fault("accept_then_status", status=504, times=None)
    made = together(db, mode, a_workflow(db, key="any"))
    with running_worker(tmp_path, **worker_environment):
        wait_until(lambda: all(row(db, one)["refusals"] for one in made))
        for one in made:
            assert retract(db, one) in {"PENDING", "PROCESSING"}
        until_settled(db)

    told = ("RETRACTED", REASON, {"delivery": "unknown"})
    assert [ending(db, one) for one in made] == [told] * len(made)
    novu_standin.deliver()
    assert novu_standin.stats()["deliveries"] == len(made) * (not delayed)


@only("single", because="what a group's call leaves unknown goes on by itself")
def test_during_the_last_send_that_it_has_novu_is_asked_to_cancel(
    db: Db, worker_environment: Told, novu_standin: NovuStandIn, tmp_path: Path, both: dict[str, int]
) -> None:
    """No answer comes and no further failure is allowed: it is not given up before Novu was told to stop it."""
    for key in both:
        novu_standin.fault("accept_then_reset", times=2, match={"workflow": key})
    novu_standin.fault("accept_then_hang", times=2)
    with running_worker(tmp_path, **worker_environment, MAX_FAILURES="1"):
        # The third call of each is its last.
        wait_until(lambda: novu_standin.stats()["calls"] == 6)
        assert [retract(db, one) for one in both.values()] == ["PROCESSING", "PROCESSING"]
        novu_standin.clear_faults()
        until_settled(db)

    told = ("RETRACTED", REASON, {"delivery": "unknown"})
    assert [ending(db, one) for one in both.values()] == [told, told]
    assert_only_the_prompt_one_is_delivered(db, novu_standin, both)


@only("single", because="it is in no group any more")
def test_after_it_was_sent_novu_is_asked_to_cancel(
    db: Db, worker_environment: Told, novu_standin: NovuStandIn, tmp_path: Path, both: dict[str, int]
) -> None:
    """SENT stays SENT; beside it stands what Novu said."""
    with running_worker(tmp_path, **worker_environment):
        until_settled(db)
        assert [retract(db, one) for one in both.values()] == ["SENT", "SENT"]
        wait_until(lambda: db.execute(TO_CANCEL).rowcount == 0)

    assert {key: ending(db, one) for key, one in both.items()} == {
        "delayed": ("SENT", REASON, {"cancel": "cancelled"}),
        "prompt": ("SENT", REASON, {"cancel": "nothing_left"}),
    }
    assert_only_the_prompt_one_is_delivered(db, novu_standin, both)


def assert_only_the_prompt_one_is_delivered(db: Db, standin: NovuStandIn, both: dict[str, int]) -> None:
    """Let Novu deliver what it still holds back: nothing, for that was cancelled."""
    assert (standin.stats()["cancelled"], standin.deliver()) == (1, 0)
    assert standin.deliveries() == {(row(db, both["prompt"])["transaction_id"], "subscriber-1"): 1}
    # SENT says no more of a cancelled one than that Novu accepted it, so the promise is not asked of it.
    assert unsettled(db) == []
