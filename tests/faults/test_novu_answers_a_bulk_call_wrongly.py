"""Novu's answer to a bulk call is malformed, or refuses the whole call: each event is judged by itself."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.modes import only
from tests.support.novu import NovuStandIn
from tests.support.promise import assert_kept, until_settled
from tests.support.rows import Db, a_notification, a_workflow
from tests.support.waiting import wait_until
from tests.support.worker import running_worker

Environment = Mapping[str, str]

GROUP, AFFECTED = 100, 10

ENDS = """
SELECT w.workflow_key AS key, n.notification_status::text AS status, n.unknown_outcomes AS unknown,
    n.failure_count AS failures, n.lapses
FROM notify.ent_notification n JOIN notify.ent_notification_workflow w ON w.id = n.notification_workflow_id"""

pytestmark = only("group", because="without groups there is no bulk call")


@pytest.fixture
def group(db: Db) -> None:
    """Insert a group; a fault affects some rows in its middle."""
    plain, affected = a_workflow(db, key="plain"), a_workflow(db, key="meant")
    with db.transaction():
        for number in range(GROUP):
            workflow = affected if number % (GROUP // AFFECTED) == 3 else plain
            a_notification(db, workflow=workflow, recipients=[f"s{number}"])


def ends(db: Db) -> Counter[tuple[str, str, int]]:
    """Count notifications by workflow, state and unknown outcomes; assert that nothing else counts against any."""
    found = db.execute(ENDS).fetchall()
    assert {(row["failures"], row["lapses"]) for row in found} == {(0, 0)}
    return Counter((row["key"], row["status"], row["unknown"]) for row in found)


@pytest.mark.usefixtures("group")
def test_items_in_another_order_belong_to_their_own_events(
    db: Db, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """Items are matched by transaction id: only the refused notifications are DEAD."""
    novu_standin.fault("verdict", verdict="error", match={"workflow": "meant"}, times=None)
    novu_standin.fault("disorder")
    with running_worker(tmp_path, **worker_environment):
        until_settled(db)

    assert ends(db) == {("plain", "SENT", 0): GROUP - AFFECTED, ("meant", "DEAD", 0): AFFECTED}
    assert novu_standin.stats()["calls"] == 1
    assert_kept(db, novu_standin)


@pytest.mark.parametrize("kind", ["omit", "mumble"])
@pytest.mark.usefixtures("group")
def test_only_an_event_without_an_answer_is_sent_again(
    db: Db, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path, kind: str
) -> None:
    """If an item or its status is missing, Novu may have accepted the event; if so, it drops the repeat."""
    novu_standin.fault(kind, match={"workflow": "meant"})
    with running_worker(tmp_path, **worker_environment):
        until_settled(db)

    assert ends(db) == {("plain", "SENT", 0): GROUP - AFFECTED, ("meant", "SENT", 1): AFFECTED}
    stats = novu_standin.stats()
    assert (stats["calls"], stats["dropped"]) == (1 + AFFECTED, AFFECTED)
    assert_kept(db, novu_standin)


@pytest.mark.parametrize("status", [404, 413])
@pytest.mark.usefixtures("group")
def test_after_a_refusal_of_the_whole_call_rows_are_sent_by_themselves(
    db: Db, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path, status: int
) -> None:
    """If the call is too large, or Novu has no such call, the answer judges neither the events nor our key."""
    novu_standin.fault("status", status=status, match={"path": "*/bulk"}, times=None)
    with running_worker(tmp_path, **worker_environment) as worker:
        until_settled(db)
        assert not worker.get_status()["gate"]["stopped"]

    assert ends(db) == {("plain", "SENT", 0): GROUP - AFFECTED, ("meant", "SENT", 0): AFFECTED}
    stats = novu_standin.stats()
    assert (stats["dropped"], stats["deliveries"]) == (0, GROUP)
    assert_kept(db, novu_standin)


@pytest.mark.usefixtures("group")
def test_a_call_that_novu_accepts_too_late_is_repeated_and_dropped(
    db: Db, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """After our time-out all outcomes are unknown, all are sent again, and Novu drops all repeats."""
    novu_standin.fault("slow", seconds=60)
    with running_worker(tmp_path, **worker_environment):
        wait_until(lambda: {unknown for _, _, unknown in ends(db)} == {1})
        novu_standin.clear_faults()
        until_settled(db)

    assert ends(db) == {("plain", "SENT", 1): GROUP - AFFECTED, ("meant", "SENT", 1): AFFECTED}
    assert novu_standin.stats()["duplicates"] == 0
    assert_kept(db, novu_standin)
