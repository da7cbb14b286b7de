"""Novu answers 500 to one enterprise's workflow, whatever it is sent: nobody else waits, and few failures count."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.novu import NovuStandIn
from tests.support.promise import assert_kept, until_settled
from tests.support.rows import Db, a_notification, a_workflow
from tests.support.waiting import wait_until
from tests.support.worker import running_worker

Told = Mapping[str, str]

EACH = 12
SHORT = {"POLL_INTERVAL_MS": "200", "FAILED_POLL_INTERVAL_MS": "200"}

STATES = """
SELECT enterprise_id, notification_status::text AS status, count(*) AS rows, max(failure_count) AS failures
FROM notify.ent_notification GROUP BY 1, 2 ORDER BY 1, 2"""


def states(db: Db) -> list[dict[str, Any]]:
    """Count notifications by enterprise and state."""
    return db.execute(STATES).fetchall()


def all_sent(enterprise: str, rows: int = EACH) -> dict[str, Any]:
    """Give what `states` says of an enterprise against which nothing was ever counted."""
    return {"enterprise_id": enterprise, "status": "SENT", "rows": rows, "failures": 0}


def test_the_others_are_sent_while_it_fails_and_then_it_is_sent_too(
    db: Db, worker_environment: Told, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """The same workflow of other enterprises, and another workflow of the same one, are served all the while."""
    novu_standin.fault(
        "status", status=500, times=None, match={"enterprise": "acme", "workflow": "order-shipped"}
    )
    workflow, other = a_workflow(db), a_workflow(db, key="order-cancelled")

    def insert(rows: int) -> None:
        with db.transaction():
            for _ in range(rows):
                for enterprise in ("acme", "globex", "initech"):
                    a_notification(db, enterprise=enterprise, workflow=workflow)

    insert(EACH)
    with running_worker(tmp_path, **worker_environment, **SHORT) as worker:
        # Turned away: they wait for the end of a pause.
        wait_until(lambda: tripped(db) >= EACH // 2)
        wait_until(lambda: states(db)[-2:] == [all_sent("globex"), all_sent("initech")])
        wait_until(lambda: worker.component("novu") == {"status": "healthy", "detail": ""})
        insert(1)
        with db.transaction():
            a_notification(db, enterprise="acme", workflow=other, recipients=["of the other workflow"])
        wait_until(lambda: all_sent("acme", 1) in states(db))
        wait_until(lambda: states(db)[-2:] == [all_sent("globex", EACH + 1), all_sent("initech", EACH + 1)])
        novu_standin.clear_faults()
        until_settled(db)

    counted = {one["enterprise_id"]: one["failures"] for one in states(db)}
    assert {one["status"] for one in states(db)} == {"SENT"}
    # Those that were under way before the breaker tripped, and the probes.
    assert counted.pop("acme") <= 3
    assert counted == {"globex": 0, "initech": 0}
    assert_kept(db, novu_standin)


def tripped(db: Db) -> int:
    """Count the notifications that were turned away."""
    found = db.execute(
        "SELECT count(*) AS n FROM notify.ent_notification WHERE error_details->>'code' = 'workflow_tripped'"
    ).fetchone()
    assert found is not None
    turned_away: int = found["n"]
    return turned_away
