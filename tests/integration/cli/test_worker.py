"""`xnovu worker start`: its errors, and its end."""

import signal
import socket
from pathlib import Path

import pytest
from temporalio.client import Client, WorkflowExecutionStatus

from tests.support.forked import xnovu
from tests.support.novu import NovuStandIn
from tests.support.rows import Db, a_notification, a_workflow, row
from tests.support.waiting import wait_until
from tests.support.worker import PROGRAM, QUICK, deliveries, running_worker

ALL_SENT = "SELECT bool_and(notification_status = 'SENT') AS so FROM notify.ent_notification"
ONE_SENDING = "SELECT bool_or(send_until IS NOT NULL) AS so FROM notify.ent_notification"


def holds(db: Db, query: str) -> bool:
    """Return the boolean that a query returns."""
    found = db.execute(query).fetchone()
    assert found is not None
    return bool(found["so"])


def test_all_errors_of_the_settings_are_reported_at_once() -> None:
    """Each error has its variable's name, and none has its value."""
    ended = xnovu(
        "worker",
        "start",
        DATABASE_URL="mysql://u:hunter2@localhost/d",
        NOVU_SECRET_KEY="hunter two",
        POLL_BATCH_SIZE="0",
        TEMPORAL_ADDRESS="localhost",
    )

    assert ended.returncode == 2
    for variable in ("DATABASE_URL", "NOVU_SECRET_KEY", "POLL_BATCH_SIZE", "TEMPORAL_ADDRESS"):
        assert f"  {variable}: must " in ended.stderr
    assert "hunter" not in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_password_that_drivers_would_quote_is_refused() -> None:
    """The text after the first @ would be shown as a host or a port."""
    ended = xnovu(
        "worker", "start", DATABASE_URL="postgresql://u:hunt@er2:mouse@127.0.0.1:1/d", NOVU_SECRET_KEY="key-1"
    )

    assert (ended.returncode, ended.stderr) == (
        2,
        "xnovu: settings:\n  DATABASE_URL: has more than one @; write an @ in the user or the password as %40\n",
    )


def test_a_schema_of_an_unreleased_version_ends_it_with_3(database: str, db: Db) -> None:
    """No upgrade leads on from such a schema, so the sentence does not promise one."""
    db.execute("UPDATE notify.alembic_version SET version_num = '0001'")

    ended = xnovu("worker", "start", **{**QUICK, "DATABASE_URL": database})

    assert ended.returncode == 3
    assert "was made by an unreleased version (revision 0001)" in ended.stderr + ended.stdout
    assert "Traceback" not in ended.stderr


def test_a_database_without_our_schema_ends_it_with_3(empty_database: str) -> None:
    """Waiting does not help; the sentence names the command that does."""
    ended = xnovu("worker", "start", **{**QUICK, "DATABASE_URL": empty_database})

    assert ended.returncode == 3
    assert "run `xnovu db upgrade`" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_superuser_is_refused_with_2(database: str) -> None:
    """The sentence has the statement that makes a better login; a member of the worker's role starts."""
    ended = xnovu("worker", "start", **{**QUICK, "DATABASE_URL": database})

    assert ended.returncode == 2
    assert "DATABASE_URL: its login postgres is a superuser" in ended.stderr
    assert "CREATE ROLE xnovu LOGIN PASSWORD '…' IN ROLE xnovu_worker" in ended.stderr


def test_a_superuser_that_is_allowed_starts(
    tmp_path: Path, database: str, worker_environment: dict[str, str]
) -> None:
    """For a server on which nobody else works. Its log is read as JSON here: `--json` wins over LOG_FORMAT."""
    program = (*PROGRAM, "--allow-superuser", "--json")
    # In another spelling, so that it stays the superuser's.
    environment = {**worker_environment, "DATABASE_URL": database.replace("//postgres:", "//postgre%73:")}
    environment["LOG_FORMAT"] = "console"
    with running_worker(tmp_path, program=program, **environment) as worker:
        worker.until_logged("worker started")


def test_a_health_port_in_use_ends_it_with_2(worker_environment: dict[str, str]) -> None:
    """It ends before it has claimed anything."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = xnovu("worker", "start", **{**QUICK, **worker_environment, "WORKER_HEALTH_PORT": port})

    assert ended.returncode == 2
    assert f"  WORKER_HEALTH_PORT: cannot listen on 127.0.0.1:{port} (Address already in use)" in ended.stderr


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT], ids=["sigterm", "ctrl-c"])
async def test_a_stop_finishes_the_sends_under_way_and_releases_the_rest(
    db: Db, worker_environment: dict[str, str], novu_standin: NovuStandIn, tmp_path: Path, how: signal.Signals
) -> None:
    """Rows still claimed afterwards have a run for another replica; all rows are sent once, and counted for the page."""
    workflow = a_workflow(db)
    made = [a_notification(db, workflow=workflow) for _ in range(60)]
    novu_standin.fault("slow", seconds=1.0, times=None)
    with running_worker(tmp_path, program=PROGRAM, **worker_environment) as worker:
        wait_until(lambda: holds(db, ONE_SENDING))
        worker.ask(how)
        worker.until_logged("worker stopping")
        late = a_notification(db, workflow=workflow)
        assert worker.ended() == 0
    ended = [row(db, notification_id) for notification_id in [*made, late]]
    assert ended[-1]["notification_status"] == "PENDING"
    assert not [kept_row["id"] for kept_row in ended if kept_row["send_until"] is not None]
    sent = sum(kept_row["notification_status"] == "SENT" for kept_row in ended)
    assert sent
    assert db.execute("SELECT sum(sent)::int AS sent FROM notify.minute").fetchone() == {"sent": sent}
    temporal = await Client.connect(worker_environment["TEMPORAL_ADDRESS"])
    for kept_row in ended:
        if kept_row["notification_status"] == "PROCESSING":
            found = await temporal.get_workflow_handle(kept_row["temporal_workflow_id"]).describe()
            assert found.status is WorkflowExecutionStatus.RUNNING

    novu_standin.clear_faults()
    with running_worker(tmp_path, program=PROGRAM, **worker_environment):
        wait_until(lambda: holds(db, ALL_SENT))
    assert deliveries(db, novu_standin) == [1] * 61


def test_a_second_signal_ends_the_worker_at_once(
    db: Db, worker_environment: dict[str, str], novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """A person who cannot wait need not; the rows are rescued."""
    a_notification(db, workflow=a_workflow(db))
    novu_standin.fault("slow", seconds=60, times=None)
    patient = {"NOVU_TIMEOUT_MS": "20000", "LEASE_MS": "40000"}
    with running_worker(tmp_path, program=PROGRAM, **worker_environment, **patient) as worker:
        wait_until(lambda: holds(db, ONE_SENDING))
        worker.ask()
        worker.until_logged("worker stopping")
        worker.ask()

        assert worker.ended() == 1
