"""Novu's answer to a bulk call is not what it should be, or is a no to the whole of it: each event counts for itself."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.modes import only
from tests.support.novu import NovuStandIn
from tests.support.promise import assert_kept, until_settled
from tests.support.rows import Db, a_notification, a_workflow
from tests.support.worker import running_worker

Told = Mapping[str, str]

GROUP, MEANT = 100, 10

ENDS = """
SELECT w.workflow_key AS key, n.notification_status::text AS status, n.unknown_outcomes AS unknown,
    n.failure_count AS failures, n.lapses
FROM notify.ent_notification n JOIN notify.ent_notification_workflow w ON w.id = n.notification_workflow_id"""

pytestmark = only("group", because="in singles there is no bulk call")


@pytest.fixture
def group(db: Db) -> None:
    """Insert a group; some of it, in its midst, is what a fault means."""
    plain, meant = a_workflow(db, key="plain"), a_workflow(db, key="meant")
    with db.transaction():
        for number in range(GROUP):
            workflow = meant if number % (GROUP // MEANT) == 3 else plain
            a_notification(db, workflow=workflow, recipients=[f"s{number}"])


def ends(db: Db) -> Counter[tuple[str, str, int]]:
    """Count notifications by workflow, state, and unknown outcomes; nothing else is held against any."""
    found = db.execute(ENDS).fetchall()
    assert {(one["failures"], one["lapses"]) for one in found} == {(0, 0)}
    return Counter((one["key"], one["status"], one["unknown"]) for one in found)


@pytest.mark.usefixtures("group")
def test_items_in_another_order_are_those_of_their_own_events(
    db: Db, worker_environment: Told, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """They bear the transaction ids: who was refused is DEAD, and nobody else."""
    novu_standin.fault("verdict", verdict="error", match={"workflow": "meant"}, times=None)
    novu_standin.fault("disorder")
    with running_worker(tmp_path, **worker_environment):
        until_settled(db)

    assert ends(db) == {("plain", "SENT", 0): GROUP - MEANT, ("meant", "DEAD", 0): MEANT}
    assert novu_standin.stats()["calls"] == 1
    assert_kept(db, novu_standin)


@pytest.mark.parametrize("kind", ["omit", "mumble"])
@pytest.mark.usefixtures("group")
def test_an_event_without_an_answer_is_sent_again_and_nobody_else_is(
    db: Db, worker_environment: Told, novu_standin: NovuStandIn, tmp_path: Path, kind: str
) -> None:
    """No item, or one without a status: it may have been accepted, and if it was, Novu drops the repeat."""
    novu_standin.fault(kind, match={"workflow": "meant"})
    with running_worker(tmp_path, **worker_environment):
        until_settled(db)

    assert ends(db) == {("plain", "SENT", 0): GROUP - MEANT, ("meant", "SENT", 1): MEANT}
    stats = novu_standin.stats()
    assert (stats["calls"], stats["dropped"]) == (1 + MEANT, MEANT)
    assert_kept(db, novu_standin)


@pytest.mark.parametrize("status", [404, 413])
@pytest.mark.usefixtures("group")
def test_what_is_refused_as_a_whole_goes_one_by_one(
    db: Db, worker_environment: Told, novu_standin: NovuStandIn, tmp_path: Path, status: int
) -> None:
    """Too large together, or a Novu without this call: it says nothing of the events, and nothing of our key."""
    novu_standin.fault("status", status=status, match={"path": "*/bulk"}, times=None)
    with running_worker(tmp_path, **worker_environment) as worker:
        until_settled(db)
        assert not worker.get_status()["gate"]["stopped"]

    assert ends(db) == {("plain", "SENT", 0): GROUP - MEANT, ("meant", "SENT", 0): MEANT}
    stats = novu_standin.stats()
    assert (stats["dropped"], stats["deliveries"]) == (0, GROUP)
    assert_kept(db, novu_standin)


@pytest.mark.usefixtures("group")
def test_a_call_that_novu_accepts_too_late_is_made_up_for(
    db: Db, worker_environment: Told, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """After our time-out: all are unknown, all are sent again, and all repeats are dropped."""
    novu_standin.fault("slow", seconds=2.5)
    told = {**worker_environment, "NOVU_TIMEOUT_MS": "2000", "LEASE_MS": "4000"}
    with running_worker(tmp_path, **told):
        until_settled(db)

    assert ends(db) == {("plain", "SENT", 1): GROUP - MEANT, ("meant", "SENT", 1): MEANT}
    assert novu_standin.stats()["duplicates"] == 0
    assert_kept(db, novu_standin)
