"""What the manifests promise, tried without a cluster: a rolling update under load, and the query that scales."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

import httpx
import psycopg
import yaml

from tests.house import sources
from tests.support import image
from tests.support.forked import xnovu
from tests.support.kubernetes import FOLDER, built, container, find
from tests.support.novu import NovuStandIn
from tests.support.postgres import as_worker
from tests.support.promise import assert_kept, until_settled
from tests.support.rows import Db, a_notification, a_workflow
from tests.support.waiting import wait_until
from tests.support.worker import START, WorkerProgram, running_worker
from xnovu_poller.lifecycle import Status

WORKER = container(built("production"), "Deployment", "xnovu-worker")
SETTINGS: Mapping[str, str] = find(built("production"), "ConfigMap", "xnovu-settings")["data"]


@contextmanager
def producing(url: str) -> Iterator[None]:
    """Let an application write notifications, until the end of the block."""
    ended = Event()

    def produce() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            while not ended.wait(0.05):
                connection.execute("SELECT notify.enqueue('acme', 'order-shipped', '{user-1,user-2}', '{}')")

    thread = Thread(target=produce)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def passes(worker: WorkerProgram, probe: str) -> bool:
    """Ask as the kubelet does: a status from 200 to 399 passes, no answer fails."""
    try:
        return worker.get(WORKER[probe]["httpGet"]["path"].removeprefix("/")).status_code < 400
    except httpx.TransportError:
        return False


def sent(db: Db) -> int:
    """Count the notifications that have been sent."""
    [row] = db.execute(
        "SELECT count(*) AS sent FROM notify.ent_notification WHERE notification_status = 'SENT'"
    )
    count: int = row["sent"]
    return count


@dataclass
class Node:
    """A place for pods, which does with them what the kubelet and the Deployment do."""

    db: Db
    environment: Mapping[str, str]
    folder: Path
    pods: ExitStack

    def start(self, name: str) -> WorkerProgram:
        """Start a worker, and wait for its probes."""
        pod = self.pods.enter_context(running_worker(self.folder, name, **self.environment))
        wait_until(lambda: passes(pod, "startupProbe"))
        wait_until(lambda: passes(pod, "readinessProbe"))
        return pod

    def replace(self, old: WorkerProgram, name: str) -> WorkerProgram:
        """Start a new worker before the old worker has to stop; the work goes on."""
        new = self.start(name)
        before = sent(self.db)
        old.ask()
        wait_until(lambda: not passes(old, "readinessProbe"))
        assert old.ended() == 0
        wait_until(lambda: sent(self.db) > before)
        return new

    def migrate(self) -> None:
        """Run the Job."""
        job = container(built("production"), "Job", "xnovu-migration")
        migrated = xnovu(*job["args"], DATABASE_URL=self.environment["DATABASE_URL"])
        assert migrated.returncode == 0, migrated.stderr


def test_a_rolling_update_under_load_loses_nothing_and_sends_nothing_twice(
    db: Db, worker_environment: Mapping[str, str], novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """Two replicas, the migration's Job, then one new replica for each old, as the Deployment's strategy has it."""
    final = image.stages(sources.text(Path("Dockerfile")))[-1]
    assert image.form(final, "ENTRYPOINT") == ["xnovu"]
    assert tuple(WORKER["args"]) == START
    a_workflow(db)
    # Where production has a Service or a Secret, the servers of this test.
    environment = {**SETTINGS, "TEMPORAL_NAMESPACE": "default", **worker_environment}
    with ExitStack() as pods:
        node = Node(db, environment, tmp_path, pods)
        with producing(worker_environment["DATABASE_URL"]):
            replicas = [node.start("old-0"), node.start("old-1")]
            wait_until(lambda: sent(db))
            node.migrate()
            replaced = [node.replace(old, f"new-{number}") for number, old in enumerate(replicas)]
            assert [passes(pod, "livenessProbe") for pod in replaced] == [True, True]
        until_settled(db, within=240)
        assert [pod.stop() for pod in replaced] == [0, 0]
    assert_kept(db, novu_standin)


def test_the_query_that_scales_counts_the_due_rows_with_the_login_of_a_worker(db: Db, database: str) -> None:
    """Rows that no loop owns do not count, nor do those of later."""
    [trigger] = yaml.safe_load((FOLDER / "components/keda-postgresql/scaled-object.yaml").read_text())[
        "spec"
    ]["triggers"]
    workflow = a_workflow(db)
    for _ in range(3):
        a_notification(db, workflow=workflow)
    a_notification(db, workflow=workflow, scheduled_for="2020-01-01")
    a_notification(db, workflow=workflow, status=Status.FAILED)
    a_notification(db, workflow=workflow, scheduled_for="2100-01-01")
    a_notification(db, workflow=workflow, deactivated=True)
    a_notification(db, workflow=workflow, publish_status="DRAFT")
    a_notification(db, workflow=workflow, status=Status.SENT)

    with psycopg.connect(as_worker(database)) as connection:
        assert connection.execute(trigger["metadata"]["query"].encode()).fetchone() == (5,)
