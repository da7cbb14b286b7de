"""A producer withdraws a notification at each stage: the row shows correctly what went out."""

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

Environment = Mapping[str, str]

REASON = "changed my mind"

TO_CANCEL = """
SELECT FROM notify.ent_notification
WHERE notification_status = 'SENT' AND retract_requested_at IS NOT NULL AND error_details IS NULL"""


def retract(db: Db, notification_id: int) -> str:
    """Withdraw a notification as a producer does; return the state that the function returns."""
    found = db.execute("SELECT notify.retract(%s, %s)::text AS status", [notification_id, REASON]).fetchone()
    assert found is not None
    status: str = found["status"]
    return status


def ending(db: Db, notification_id: int) -> tuple[str, str | None, dict[str, Any] | None]:
    """Return state, reason and details of a notification."""
    kept = row(db, notification_id)
    return kept["notification_status"], kept["retraction_reason"], kept["error_details"]


@only("single", because="the row is in no group")
def test_before_a_claim_and_between_attempts_it_is_withdrawn_at_once(
    db: Db, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """The worker never sends PENDING and FAILED rows that were withdrawn, and still sends a later row."""
    workflow = a_workflow(db)
    made = [
        a_notification(db, workflow=workflow, status=status) for status in (Status.PENDING, Status.FAILED)
    ]
    assert [retract(db, notification_id) for notification_id in made] == ["RETRACTED", "RETRACTED"]
    a_notification(db, workflow=workflow, recipients=["the next"])
    with running_worker(tmp_path, **worker_environment):
        until_settled(db)

    assert [ending(db, notification_id) for notification_id in made] == [("RETRACTED", REASON, None)] * 2
    assert [subscriber for _, subscriber in novu_standin.deliveries()] == ["the next"]
    assert_kept(db, novu_standin)


async def test_between_its_claim_and_its_send_it_is_withdrawn_at_once(
    db: Db, mode: Mode, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """The row is PROCESSING, and its workflow is on the way to Temporal: it arrives late and sends nothing."""
    workflow = a_workflow(db)
    async with proxied(f"tcp://{worker_environment['TEMPORAL_ADDRESS']}") as proxy:
        environment = {**worker_environment, "TEMPORAL_ADDRESS": f"{LOOPBACK}:{proxy.port}"}
        with running_worker(tmp_path, **environment) as worker:
            await asyncio.to_thread(worker.until_logged, "worker started")
            proxy.hang()
            made, *neighbours = together(db, mode, workflow)
            await eventually(lambda: row(db, made)["notification_status"] == "PROCESSING")
            assert retract(db, made) == "RETRACTED"
            proxy.mend()
            a_notification(db, workflow=workflow, recipients=["the next"])
            await eventually(lambda: sum(novu_standin.deliveries().values()) == 1 + len(neighbours))

            async def late() -> bool:
                return await asyncio.to_thread(worker.metric, "xnovu_notifications_late_total") == 1

            await eventually(late)
            await asyncio.to_thread(until_settled, db)

    assert ending(db, made) == ("RETRACTED", REASON, None)
    transactions = {row(db, notification_id)["transaction_id"] for notification_id in neighbours}
    assert {(t, s) for t, s in novu_standin.deliveries() if s != "the next"} == {
        (transaction, "subscriber-1") for transaction in transactions
    }
    assert_kept(db, novu_standin)


@only("single", because="in a group the answer to each event decides, as a later test shows")
async def test_during_its_send_the_answer_decides(
    db: Db, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """If Novu accepts the call, the row is SENT; if not, nothing else goes out and the row is RETRACTED."""
    novu_standin.fault("status", status=503, match={"workflow": "unavailable"}, times=None)
    async with proxied(novu_standin.url) as proxy:
        made = await withdrawn_during_their_sends(
            db, worker_environment, tmp_path, proxy, ("accepted", "unavailable")
        )

    assert {key: ending(db, notification_id) for key, notification_id in made.items()} == {
        "accepted": ("SENT", REASON, {"cancel": "nothing_left"}),
        "unavailable": ("RETRACTED", REASON, None),
    }
    assert set(novu_standin.deliveries()) == {(row(db, made["accepted"])["transaction_id"], "subscriber-1")}
    assert_kept(db, novu_standin)


@only("single", because="the next test has both cases in a group")
async def test_during_a_send_that_novu_refuses_for_good_it_is_withdrawn_too(
    db: Db, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """Nothing went out. The row is not DEAD, so a later revival cannot send what its producer has withdrawn."""
    novu_standin.fault("status", status=422)
    async with proxied(novu_standin.url) as proxy:
        made = await withdrawn_during_their_sends(db, worker_environment, tmp_path, proxy, ("refused",))

    assert ending(db, made["refused"]) == ("RETRACTED", REASON, None)
    assert novu_standin.deliveries() == {}
    assert_kept(db, novu_standin)


@only("group", because="a call without a group has one notification")
async def test_during_the_send_of_a_group_the_answer_to_each_event_decides(
    db: Db, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """All are in one call when the producer withdraws two of them: the others are sent as usual."""
    novu_standin.fault("verdict", verdict="error", match={"workflow": "refused"})
    async with proxied(novu_standin.url) as proxy:
        made = await withdrawn_during_their_sends(
            db, worker_environment, tmp_path, proxy, ("accepted", "refused"), neighbours=98
        )

    assert {key: ending(db, notification_id) for key, notification_id in made.items()} == {
        "accepted": ("SENT", REASON, {"cancel": "nothing_left"}),
        "refused": ("RETRACTED", REASON, None),
    }
    assert novu_standin.stats()["deliveries"] == 99
    assert_kept(db, novu_standin)


HELD = "SELECT FROM notify.ent_notification WHERE send_until IS NOT NULL"


async def withdrawn_during_their_sends(
    db: Db, environment: Environment, folder: Path, proxy: Proxy, keys: Sequence[str], neighbours: int = 0
) -> dict[str, int]:
    """Insert a notification of each workflow; withdraw all while their calls are under way and unanswered.

    Neighbours are not withdrawn; with them, all are in one call.
    """
    proxy.hang()
    address = {"NOVU_API_URL": f"http://{LOOPBACK}:{proxy.port}", "NOVU_TIMEOUT_MS": "20000"}
    with running_worker(folder, **{**environment, **address}):
        with db.transaction():
            made = {key: a_notification(db, workflow=a_workflow(db, key=key)) for key in keys}
            others = a_workflow(db, key="others")
            for _ in range(neighbours):
                a_notification(db, workflow=others)
        await eventually(lambda: db.execute(HELD).rowcount == len(made) + neighbours)
        # Each connection has two ends, and each call its connection.
        await eventually(lambda: len(proxy._writers) >= (2 if neighbours else 2 * len(made)))
        assert [retract(db, notification_id) for notification_id in made.values()] == ["PROCESSING"] * len(
            made
        )
        proxy.mend()
        await asyncio.to_thread(until_settled, db)
        # Novu is asked whether it can still stop the sent notifications.
        await eventually(lambda: db.execute(TO_CANCEL).rowcount == 0)
    return made


@pytest.fixture
def pair(db: Db, novu_standin: NovuStandIn) -> dict[str, int]:
    """Insert a notification that Novu delays, and a notification that it delivers at once."""
    novu_standin.workflow("delayed", delayed=True)
    with db.transaction():
        return {key: a_notification(db, workflow=a_workflow(db, key=key)) for key in ("delayed", "prompt")}


def test_after_an_unknown_outcome_novu_is_asked_to_cancel(
    db: Db, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path, pair: dict[str, int]
) -> None:
    """Whether or not Novu can stop it, the row is RETRACTED and its details show an unknown delivery."""
    novu_standin.fault("accept_then_reset", times=None)
    with running_worker(tmp_path, **worker_environment):
        wait_until(
            lambda: all(row(db, notification_id)["unknown_outcomes"] > 0 for notification_id in pair.values())
        )
        for notification_id in pair.values():
            assert retract(db, notification_id) in {"PROCESSING", "FAILED"}
        until_settled(db)

    withdrawn = ("RETRACTED", REASON, {"delivery": "unknown"})
    assert [ending(db, notification_id) for notification_id in pair.values()] == [withdrawn, withdrawn]
    assert_only_the_prompt_notification_is_delivered(db, novu_standin, pair)


@pytest.mark.parametrize("delayed", [True, False], ids=["delayed", "prompt"])
def test_after_a_gateways_error_novu_is_asked_to_cancel(
    db: Db,
    mode: Mode,
    worker_environment: Environment,
    novu_standin: NovuStandIn,
    tmp_path: Path,
    *,
    delayed: bool,
) -> None:
    """A gateway answers 504 although Novu accepted the call, so the delivery is unknown."""
    novu_standin.workflow("any", delayed=delayed)
    novu_standin.fault("accept_then_status", status=504, times=None)
    made = together(db, mode, a_workflow(db, key="any"))
    with running_worker(tmp_path, **worker_environment):
        wait_until(lambda: all(row(db, notification_id)["refusals"] for notification_id in made))
        for notification_id in made:
            # FAILED: the gate has let it through a second time.
            assert retract(db, notification_id) in {"PENDING", "PROCESSING", "FAILED"}
        until_settled(db)

    withdrawn = ("RETRACTED", REASON, {"delivery": "unknown"})
    assert [ending(db, notification_id) for notification_id in made] == [withdrawn] * len(made)
    novu_standin.deliver()
    assert novu_standin.stats()["deliveries"] == len(made) * (not delayed)


@only("single", because="the rows of a group with an unknown outcome go on by themselves")
def test_during_its_last_permitted_send_novu_is_asked_to_cancel(
    db: Db, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path, pair: dict[str, int]
) -> None:
    """No answer comes and no further failure is allowed; still, Novu is asked to cancel before the row ends."""
    for key in pair:
        novu_standin.fault("accept_then_reset", times=2, match={"workflow": key})
    novu_standin.fault("accept_then_hang", times=2)
    with running_worker(tmp_path, **worker_environment, MAX_FAILURES="1", NOVU_TIMEOUT_MS="20000"):
        # The third call of each notification is its last.
        wait_until(lambda: novu_standin.stats()["calls"] == 6)
        assert [retract(db, notification_id) for notification_id in pair.values()] == [
            "PROCESSING",
            "PROCESSING",
        ]
        novu_standin.clear_faults()
        until_settled(db)

    withdrawn = ("RETRACTED", REASON, {"delivery": "unknown"})
    assert [ending(db, notification_id) for notification_id in pair.values()] == [withdrawn, withdrawn]
    assert_only_the_prompt_notification_is_delivered(db, novu_standin, pair)


@only("single", because="a sent row is in no group any more")
def test_after_it_was_sent_novu_is_asked_to_cancel(
    db: Db, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path, pair: dict[str, int]
) -> None:
    """The row stays SENT; its details show Novu's answer to the cancellation."""
    with running_worker(tmp_path, **worker_environment):
        until_settled(db)
        assert [retract(db, notification_id) for notification_id in pair.values()] == ["SENT", "SENT"]
        wait_until(lambda: db.execute(TO_CANCEL).rowcount == 0)

    assert {key: ending(db, notification_id) for key, notification_id in pair.items()} == {
        "delayed": ("SENT", REASON, {"cancel": "cancelled"}),
        "prompt": ("SENT", REASON, {"cancel": "nothing_left"}),
    }
    assert_only_the_prompt_notification_is_delivered(db, novu_standin, pair)


def assert_only_the_prompt_notification_is_delivered(
    db: Db, standin: NovuStandIn, pair: dict[str, int]
) -> None:
    """Let Novu deliver the rest: nothing, because the delayed notification was cancelled."""
    assert (standin.stats()["cancelled"], standin.deliver()) == (1, 0)
    assert standin.deliveries() == {(row(db, pair["prompt"])["transaction_id"], "subscriber-1"): 1}
    # SENT only means that Novu accepted it, and it was cancelled: the check of all deliveries does not apply.
    assert unsettled(db) == []
