"""The database's clock leaps ahead, and is set right again."""

import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.faults.test_the_clock_of_a_worker_is_set import FALSE
from tests.support.deaths import OFTEN, PATIENT, killed
from tests.support.modes import mode_of, together
from tests.support.novu import NovuStandIn
from tests.support.postgres import migrated_copy, quick_server
from tests.support.promise import assert_kept, until_settled
from tests.support.rows import Db, a_notification, a_workflow, open_db
from tests.support.waiting import wait_until
from tests.support.worker import running_worker
from xnovu_poller.dev import children
from xnovu_poller.lifecycle import Status

Environment = Mapping[str, str]

HELD = """
SELECT FROM notify.ent_notification
WHERE notification_status = 'PROCESSING' AND send_until > clock_timestamp() + interval '1 hour'"""
SKEWED = "SELECT FROM notify.chore WHERE name = 'retention' AND error LIKE 'clocks: %'"
COUNTED = "SELECT FROM notify.ent_notification"


class DatabaseClock:
    """The clock of a PostgreSQL server that a test sets."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.set("+0")

    def set(self, offset: str) -> None:
        """Set the clock this far from the right time."""
        step = self._file.with_suffix(".step")
        step.write_text(f"{offset}\n")
        step.chmod(0o644)
        step.replace(self._file)


@pytest.fixture
def clock_file() -> Iterator[Path]:
    """Yield a file that the unprivileged server can read.

    It is not in pytest's own temporary folder: every other pytest that starts closes that to all users but its own.
    """
    with tempfile.TemporaryDirectory(prefix="xnovu-clock-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder / "clock"


@pytest.fixture
def clock(clock_file: Path) -> DatabaseClock:
    """Return the clock of the server of this test."""
    return DatabaseClock(clock_file)


@pytest.fixture
def false_database(clock_file: Path, clock: DatabaseClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Yield the URL of a database on a server with that clock."""
    false = {**FALSE, "FAKETIME_TIMESTAMP_FILE": str(clock_file)}
    monkeypatch.setattr(children, "CLEAN_ENVIRONMENT", {**children.CLEAN_ENVIRONMENT, **false})
    with quick_server() as server, migrated_copy(server) as url:
        yield url


@pytest.fixture
def false_db(false_database: str) -> Iterator[Db]:
    """Yield the superuser's connection to it."""
    with open_db(false_database) as connection:
        yield connection


def is_ahead(db: Db, hours: int) -> bool:
    """Return whether the database's clock is ahead of ours."""
    found = db.execute("SELECT extract(epoch FROM clock_timestamp()) AS at").fetchone()
    right = time.time()
    assert found is not None
    return bool(found["at"] > right + (hours - 0.5) * 3600) if hours else bool(found["at"] < right + 1800)


def test_rows_in_hand_do_not_wait_as_long_as_the_leap(
    false_database: str,
    false_db: Db,
    clock: DatabaseClock,
    worker_environment: Environment,
    novu_standin: NovuStandIn,
    tmp_path: Path,
) -> None:
    """Their lease and their send lie two hours ahead when the clock is set right, and their sender is dead."""
    environment = {**worker_environment, "DATABASE_URL": false_database, **OFTEN}
    novu_standin.fault("slow", seconds=60)
    with running_worker(tmp_path, "killed", **{**environment, **PATIENT}) as worker:
        clock.set("+2h")
        wait_until(lambda: is_ahead(false_db, 2))
        made = together(false_db, mode_of(worker_environment), a_workflow(false_db))
        wait_until(lambda: novu_standin.stats()["calls"] > 0)
        killed(worker)
    clock.set("+0")
    wait_until(lambda: is_ahead(false_db, 0))
    assert false_db.execute(HELD).rowcount == len(made)
    novu_standin.clear_faults()

    with running_worker(tmp_path, "second", **environment):
        until_settled(false_db)
    assert_kept(false_db, novu_standin)


def test_a_leap_purges_nothing(
    false_database: str,
    false_db: Db,
    clock: DatabaseClock,
    worker_environment: Environment,
    tmp_path: Path,
) -> None:
    """By the database's clock all rows ended more than a year ago. A purge cannot be undone, so it is not made."""
    for _ in range(5):
        a_notification(false_db, status=Status.SENT)
    environment = {**worker_environment, "DATABASE_URL": false_database, "RULE_POLL_INTERVAL_MS": "1000"}
    clock.set("+400d")
    wait_until(lambda: is_ahead(false_db, 24 * 400))
    with running_worker(tmp_path, **environment, RETENTION_DAYS="90"):
        wait_until(lambda: false_db.execute(SKEWED).rowcount == 1)
    assert false_db.execute(COUNTED).rowcount == 5
