"""Novu answers 201, but its status is not `processed`: no such row is SENT."""

from collections.abc import Mapping
from pathlib import Path

from tests.support.novu import NovuStandIn
from tests.support.promise import assert_kept, until_settled
from tests.support.rows import Db, a_notification, a_workflow, row
from tests.support.worker import running_worker

Environment = Mapping[str, str]

VERDICTS = {
    "error": "unspecified",
    "trigger_not_active": "trigger_not_active",
    "no_workflow_active_steps_defined": "no_workflow_active_steps_defined",
    "no_workflow_steps_defined": "no_workflow_steps_defined",
    "no_tenant_found": "no_tenant_found",
    "invalid_recipients": "invalid_recipients",
}
"""Each status that Novu may send in place of `processed`, and how the row's message names it."""


def test_each_such_status_ends_dead_with_its_reason(
    db: Db, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """Each is triggered once, because a repeat would not help; their neighbours are sent."""
    made = {}
    with db.transaction():
        for verdict in VERDICTS:
            novu_standin.fault("verdict", verdict=verdict, match={"workflow": verdict}, times=None)
            made[verdict] = a_notification(db, workflow=a_workflow(db, key=verdict), recipients=[verdict])
        workflow = a_workflow(db)
        healthy = [a_notification(db, workflow=workflow) for _ in range(3)]
    with running_worker(tmp_path, **worker_environment):
        until_settled(db)

    for verdict, reason in VERDICTS.items():
        kept = row(db, made[verdict])
        assert (kept["notification_status"], kept["attempt"], kept["unknown_outcomes"]) == ("DEAD", 1, 0)
        assert kept["error_details"] == {
            "code": "novu_rejected",
            "message": f"Novu: rejects it with 201 ({reason})",
        }
    assert {row(db, notification_id)["notification_status"] for notification_id in healthy} == {"SENT"}
    assert novu_standin.stats()["triggers"] == len(VERDICTS) + len(healthy)
    assert {subscriber for _, subscriber in novu_standin.deliveries()} == {"subscriber-1"}
    assert_kept(db, novu_standin)
