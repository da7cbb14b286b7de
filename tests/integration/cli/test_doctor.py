"""`xnovu doctor`: what it prints for a sound system, and for a system with faults."""

from pathlib import Path

from tests.support.forked import xnovu
from tests.support.postgres import as_worker
from tests.support.rows import Db
from tests.support.syncing import a_dynamic
from tests.support.waiting import wait_until
from tests.support.worker import running_worker


def test_a_sound_system_is_as_expected_until_something_breaks(
    db: Db, worker_environment: dict[str, str], tmp_path: Path
) -> None:
    """A worker runs; then a trigger is off, and a tenant has written a key that is no text for a terminal."""
    environment = worker_environment | {"DATABASE_URL": as_worker(worker_environment["DATABASE_URL"])}
    with running_worker(tmp_path, **worker_environment) as worker:
        wait_until(lambda: db.execute("SELECT FROM notify.chore").rowcount >= 5)
        sound = xnovu("doctor", NOVU_SECRET_KEY="hush", **environment)
        assert (sound.returncode, sound.stderr) == (0, ""), sound.stdout
        assert sound.stdout.startswith("Settings\n  ok     a worker can start with these settings\n")
        assert sound.stdout.endswith("All is as expected.\n")

        a_dynamic(db, "no\x1b[31m key")
        db.execute("ALTER TABLE notify.ent_notification DISABLE TRIGGER guard_update")
        broken = xnovu("doctor", NOVU_SECRET_KEY="hush", **environment)
        assert worker.stop() == 0

    assert broken.returncode == 1
    assert "\x1b" not in broken.stdout
    assert r"found: workflow no\u001b[31m key: its key cannot be an identifier" in broken.stdout
    assert "mend:  run: ALTER TABLE notify.ent_notification ENABLE TRIGGER guard_update" in broken.stdout
    # The chore may have found the error of the row by then, which is a third finding.
    assert broken.stdout.splitlines()[-1] in {"Wrong: 2.", "Wrong: 3."}
