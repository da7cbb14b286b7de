"""An administrator inserts rows past the bounds, of fifty megabytes each: the worker keeps its memory."""

import re
from collections.abc import Mapping
from pathlib import Path

from tests.support.disaster import sent
from tests.support.modes import Mode, only
from tests.support.novu import NovuStandIn
from tests.support.promise import assert_kept, until_settled
from tests.support.rows import Db, a_notification, a_workflow
from tests.support.worker import WorkerProgram, running_worker

Environment = Mapping[str, str]

HEAVY, MEGABYTES = 12, 50
MOST_RESIDENT_MB = 600
SWELL = """
UPDATE notify.ent_notification SET payload = jsonb_build_object('t', repeat('y', %s)) WHERE id = ANY (%s)"""
CODES = "SELECT error_details ->> 'code' AS code FROM notify.ent_notification WHERE id = ANY (%s)"


def peak_megabytes(worker: WorkerProgram) -> int:
    """Return the most memory that the worker's process has had."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{worker.child.pid}/status").read_text())
    assert found is not None
    return int(found[1]) // 1024


@only("group", because="a group of heavy rows needs the most memory")
def test_the_heavy_rows_die_and_others_are_sent(
    db: Db, mode: Mode, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """No process dies of them either."""
    workflow = a_workflow(db)
    with db.transaction():
        heavy = [a_notification(db, workflow=workflow) for _ in range(HEAVY)]
        db.execute("SET LOCAL session_replication_role = replica")
        db.execute(SWELL, [MEGABYTES << 20, heavy])
    with running_worker(tmp_path, **worker_environment) as worker:
        sent(db, [a_notification(db, enterprise="globex", workflow=workflow)])
        until_settled(db)
        assert peak_megabytes(worker) < MOST_RESIDENT_MB
    assert [found["code"] for found in db.execute(CODES, [heavy])] == ["too_large"] * HEAVY
    assert_kept(db, novu_standin)
