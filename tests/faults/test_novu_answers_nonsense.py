"""Novu accepts, but the answer is not Novu's: the same trigger is sent until a proper answer comes."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.modes import Mode
from tests.support.novu import NovuStandIn
from tests.support.promise import assert_kept, until_settled
from tests.support.rows import Db, a_notification, a_workflow, row
from tests.support.worker import running_worker

Environment = Mapping[str, str]

NONSENSE = [
    {"kind": "malformed"},
    {"kind": "malformed", "body": "<html>Welcome</html>"},
    {"kind": "malformed", "body": '{"data":{"acknowledged":true,"status":5}}'},
    {"kind": "malformed", "body": "[" * 100_000},
]
"""Cut off, another server's, of no known form, too deeply nested; fewer than five, or Novu would seem down."""

PROXIES = [500, 504]
"""Answers of a proxy that has passed the call on."""


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param(NONSENSE, id="201 and nonsense"),
        pytest.param(
            [{"kind": "accept_then_status", "status": status, "body": "oh"} for status in PROXIES],
            id="a proxy's error",
        ),
    ],
)
def test_a_trigger_that_novu_accepted_is_delivered_once(
    db: Db,
    mode: Mode,
    worker_environment: Environment,
    novu_standin: NovuStandIn,
    tmp_path: Path,
    faults: list[dict[str, object]],
) -> None:
    """Each trigger is repeated under its transaction id and dropped by Novu; no row fails or dies."""
    made = []
    with db.transaction():
        for number, fault in enumerate(faults):
            key = f"nonsense-{number}"
            novu_standin.fault(**fault, match={"workflow": key})  # type: ignore[arg-type] # the kind is a text
            workflow = a_workflow(db, key=key)
            made += [a_notification(db, workflow=workflow) for _ in range(mode.rows)]
    # Each call gets a different wrong answer.
    environment = {**worker_environment, **mode.of(mode.rows)}
    with running_worker(tmp_path, **environment):
        until_settled(db)

    for notification_id in made:
        kept = row(db, notification_id)
        assert (kept["notification_status"], kept["failure_count"], kept["lapses"]) == ("SENT", 0, 0)
        states = [t["state"] for t in novu_standin.ledger(transaction_id=kept["transaction_id"])["triggers"]]
        assert states == ["delivered", *["dropped"] * (len(states) - 1)]
    # A gateway's 504 closes the gate for the other group, whose notifications are then sent by themselves.
    assert len(faults) <= novu_standin.stats()["dropped"] <= len(made)
    assert novu_standin.faults() == []
    assert_kept(db, novu_standin)
