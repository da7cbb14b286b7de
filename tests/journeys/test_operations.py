"""The commands of the operator's handbook find what it promises."""

import os
import re
import subprocess
import sysconfig
from collections.abc import Mapping
from pathlib import Path

from tests.house import sources
from tests.support.rows import Db, a_notification, a_workflow
from tests.support.waiting import wait_until
from tests.support.worker import QUICK, running_worker

LISTS = re.findall(
    r"^temporal (workflow list --query) \"(.+)\"$", sources.text(Path("docs/operations.md")), re.MULTILINE
)
TEMPORAL = str(Path(sysconfig.get_path("scripts")) / "temporal")


def found(query: str, address: str, home: Path) -> set[str]:
    """Return the last part but the attempt of the workflow ids that Temporal's own command lists: the notifications."""
    ran = subprocess.run(
        [TEMPORAL, "workflow", "list", "--query", query, "--address", address, "--output", "jsonl"],
        env={"HOME": str(home), "PATH": os.defpath},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(re.findall(r'"workflowId": ?"[0-9a-f]{8}-notification-(\d+)-\d+"', ran.stdout))


def test_runs_are_found_in_temporal(db: Db, worker_environment: Mapping[str, str], tmp_path: Path) -> None:
    """Each of the five lists of the page: by notification, enterprise, outcome, workflow, and duration."""
    sent = a_notification(db, workflow=a_workflow(db, key="fine"))
    dead = a_notification(db, workflow=a_workflow(db, key="order-shipped", workflow_type="DYNAMIC"))
    environment = {**QUICK, **worker_environment, "HANDOFF_GROUP_SIZE": "1"}
    with running_worker(tmp_path, **environment) as worker:
        wait_until(lambda: worker.metric("xnovu_notifications_dead_total") == 1)
        wait_until(lambda: worker.metric("xnovu_notifications_sent_total") == 1)
        deployment = worker.until_logged("worker started")["deployment"]
        assert worker.stop() == 0

    *queries, slow = [f"({query}) AND WorkflowId STARTS_WITH '{deployment}-'" for _, query in LISTS]
    wanted = [{sent}, {sent, dead}, {dead}, {dead}]
    address = worker_environment["TEMPORAL_ADDRESS"]
    for query, ids in zip(queries, wanted, strict=True):
        # Temporal's list lags by a moment.
        wait_until(lambda: found(query, address, tmp_path) == {str(id_) for id_ in ids})  # noqa: B023
    assert found(slow, address, tmp_path) <= {str(sent), str(dead)}
