"""Novu accepts a trigger and then hangs or resets the connection: everybody gets it, and nobody gets it twice."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.modes import Mode, only
from tests.support.novu import NovuStandIn
from tests.support.promise import assert_kept, until_settled
from tests.support.rows import Db, a_notification, a_workflow, row
from tests.support.worker import running_worker

Environment = Mapping[str, str]

# Only the call that is never answered times out, also if the machine stands still in the middle of another.
SHORT = {"NOVU_TIMEOUT_MS": "12000"}


GROUP = 20


@pytest.fixture
def made(db: Db, mode: Mode, novu_standin: NovuStandIn) -> list[int]:
    """Insert two notifications: the call of the first is never answered, and the connection of the second is reset.

    In a group others share the unanswered call; the repeats then go row by row.
    """
    for kind in ("accept_then_hang", "accept_then_reset"):
        novu_standin.fault(kind, match={"workflow": kind})
    keys = ["accept_then_hang", "accept_then_reset", *["another"] * (GROUP - 2 if mode.grouped else 0)]
    workflows = {key: a_workflow(db, key=key) for key in dict.fromkeys(keys)}
    with db.transaction():
        return [
            a_notification(db, workflow=workflows[key], recipients=["s1", "s2"], payload={"b": 1, "a": 2})
            for key in keys
        ]


def test_the_repeat_is_the_same_call_and_novu_drops_it(
    db: Db,
    mode: Mode,
    worker_environment: Environment,
    novu_standin: NovuStandIn,
    tmp_path: Path,
    made: list[int],
) -> None:
    """The triggers have the same transaction id and content; Novu drops all but the first, and none counts as a failure."""
    with running_worker(tmp_path, **worker_environment, **SHORT):
        until_settled(db)

    for notification_id in made:
        kept = row(db, notification_id)
        triggers = novu_standin.ledger(transaction_id=kept["transaction_id"])["triggers"]
        states = [trigger["state"] for trigger in triggers]
        assert states == ["delivered", *["dropped"] * kept["unknown_outcomes"]]
        assert all(trigger["event"] == triggers[0]["event"] for trigger in triggers)
        assert (kept["notification_status"], kept["attempt"]) == ("SENT", 1)
        assert (kept["failure_count"], kept["lapses"]) == (0, 0)
    # In a group the second notification meets both faults.
    unknown = [row(db, notification_id)["unknown_outcomes"] for notification_id in made]
    assert unknown == ([1, 2, *[1] * (GROUP - 2)] if mode.grouped else [1, 1])
    assert novu_standin.faults() == []
    assert_kept(db, novu_standin)


@only(
    "single",
    because="the rows of a group with an unknown outcome go on by themselves, under keys of their own",
)
def test_the_repeat_has_the_same_key_and_the_same_bytes(
    db: Db, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path, made: list[int]
) -> None:
    """A Novu that honours `Idempotency-Key` answers from its store; it compares the digest of the body's bytes."""
    novu_standin.switch(idempotency=True)
    with running_worker(tmp_path, **worker_environment, **SHORT):
        until_settled(db)

    stats = novu_standin.stats()
    assert (stats["calls"], stats["triggers"], stats["replays"]) == (4, 2, 2)
    assert {row(db, notification_id)["notification_status"] for notification_id in made} == {"SENT"}
    assert_kept(db, novu_standin)
