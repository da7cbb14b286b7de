"""Novu answers 500 to every trigger of one enterprise's workflow: nobody else waits, and few failures count."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.novu import NovuStandIn
from tests.support.promise import assert_kept, until_settled
from tests.support.rows import Db, a_notification, a_workflow
from tests.support.waiting import wait_until
from tests.support.worker import running_worker

Environment = Mapping[str, str]

EACH = 12
SHORT = {"POLL_INTERVAL_MS": "200", "FAILED_POLL_INTERVAL_MS": "200"}

STATES = """
SELECT enterprise_id, notification_status::text AS status, count(*) AS rows, max(failure_count) AS failures
FROM notify.ent_notification GROUP BY 1, 2 ORDER BY 1, 2"""


def states(db: Db) -> list[dict[str, Any]]:
    """Count notifications by enterprise and state."""
    return db.execute(STATES).fetchall()


def all_sent(enterprise: str, rows: int = EACH) -> dict[str, Any]:
    """Return the row of `states` for an enterprise with all rows SENT and no failure."""
    return {"enterprise_id": enterprise, "status": "SENT", "rows": rows, "failures": 0}


def test_the_others_are_sent_while_it_fails_and_then_it_is_sent_too(
    db: Db, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """Other enterprises with the same workflow, and the same enterprise's other workflow, are served all the time."""
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
        # The breaker turns rows away: they wait for the end of a pause.
        wait_until(lambda: count_turned_away(db) >= EACH // 2)
        wait_until(lambda: states(db)[-2:] == [all_sent("globex"), all_sent("initech")])
        wait_until(lambda: worker.component("novu")["status"] == "healthy")
        insert(1)
        with db.transaction():
            a_notification(db, enterprise="acme", workflow=other, recipients=["of the other workflow"])
        wait_until(lambda: all_sent("acme", 1) in states(db))
        wait_until(lambda: states(db)[-2:] == [all_sent("globex", EACH + 1), all_sent("initech", EACH + 1)])
        novu_standin.clear_faults()
        until_settled(db)

    counted = {state["enterprise_id"]: state["failures"] for state in states(db)}
    assert {state["status"] for state in states(db)} == {"SENT"}
    # Those under way before the breaker tripped, and the probes.
    assert counted.pop("acme") <= 3
    assert counted == {"globex": 0, "initech": 0}
    assert_kept(db, novu_standin)


def count_turned_away(db: Db) -> int:
    """Return the number of notifications that the breaker turned away."""
    found = db.execute(
        "SELECT count(*) AS n FROM notify.ent_notification WHERE error_details->>'code' = 'workflow_tripped'"
    ).fetchone()
    assert found is not None
    turned_away: int = found["n"]
    return turned_away
