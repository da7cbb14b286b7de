"""Novu accepts a trigger, and then hangs or breaks the connection: nobody gets it twice, nobody goes without."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.novu import NovuStandIn
from tests.support.promise import assert_kept, until_settled
from tests.support.rows import Db, a_notification, a_workflow, row
from tests.support.worker import running_worker

Told = Mapping[str, str]

SHORT = {"NOVU_TIMEOUT_MS": "1000", "LEASE_MS": "2000"}


@pytest.fixture
def made(db: Db, novu_standin: NovuStandIn) -> list[int]:
    """Insert two notifications: to the first Novu's answer never comes, to the second the connection breaks."""
    for kind in ("accept_then_hang", "accept_then_reset"):
        novu_standin.fault(kind, match={"workflow": kind})
    workflows = [a_workflow(db, key=key) for key in ("accept_then_hang", "accept_then_reset")]
    return [
        a_notification(db, workflow=one, recipients=["s1", "s2"], payload={"b": 1, "a": 2})
        for one in workflows
    ]


def test_the_repeat_is_the_same_call_and_novu_drops_it(
    db: Db, worker_environment: Told, novu_standin: NovuStandIn, tmp_path: Path, made: list[int]
) -> None:
    """Two triggers of one transaction id and one content, the second dropped; it counts no failure."""
    with running_worker(tmp_path, **worker_environment, **SHORT):
        until_settled(db)

    for one in made:
        kept = row(db, one)
        triggers = novu_standin.ledger(transaction_id=kept["transaction_id"])["triggers"]
        assert [trigger["fate"] for trigger in triggers] == ["delivered", "dropped"]
        assert triggers[0]["event"] == triggers[1]["event"]
        assert (kept["notification_status"], kept["attempt"]) == ("SENT", 1)
        assert (kept["unknown_outcomes"], kept["failure_count"], kept["lapses"]) == (1, 0, 0)
    assert novu_standin.faults() == []
    assert_kept(db, novu_standin)


def test_the_repeat_bears_the_same_key_and_the_same_bytes(
    db: Db, worker_environment: Told, novu_standin: NovuStandIn, tmp_path: Path, made: list[int]
) -> None:
    """A Novu that heeds `Idempotency-Key` gives the stored answers: a key holds the digest of its call's bytes."""
    novu_standin.switch(idempotency=True)
    with running_worker(tmp_path, **worker_environment, **SHORT):
        until_settled(db)

    stats = novu_standin.stats()
    assert (stats["calls"], stats["triggers"], stats["replays"]) == (4, 2, 2)
    assert {row(db, one)["notification_status"] for one in made} == {"SENT"}
    assert_kept(db, novu_standin)
