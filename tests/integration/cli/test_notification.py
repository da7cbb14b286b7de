"""`xnovu notification`: the output for a person who revives notifications."""

from tests.support.forked import xnovu
from tests.support.rows import Db, a_notification, back_dated, row, written
from xnovu_poller.lifecycle import Status
from xnovu_poller.store.notifications.by_operator import NOVU_REMEMBERS


def test_each_notification_has_its_line(db: Db, database: str) -> None:
    """If any was not revived, the exit code is 1 and its line has the reason."""
    dead, sent, doubtful = (
        a_notification(db, status=status) for status in (Status.DEAD, Status.SENT, Status.DEAD)
    )
    written(db, doubtful, unknown_outcomes=1)
    back_dated(db, doubtful, 2 * NOVU_REMEMBERS, "processed_at")

    ended = xnovu("notification", "revive", *map(str, (dead, sent, doubtful)), DATABASE_URL=database)

    assert (ended.returncode, ended.stderr) == (1, "")
    assert [line.partition(":")[0] for line in ended.stdout.splitlines()] == [
        str(dead),
        str(sent),
        str(doubtful),
    ]
    assert "PENDING again" in ended.stdout
    assert "--force" in ended.stdout
    assert [row(db, id_)["notification_status"] for id_ in (dead, sent, doubtful)] == [
        "PENDING",
        "SENT",
        "DEAD",
    ]

    forced = xnovu("notification", "revive", "--force", str(doubtful), DATABASE_URL=database)
    assert (forced.returncode, forced.stdout) == (0, f"{doubtful}: PENDING again\n")


def test_a_database_without_the_schema_is_reported_in_a_sentence(empty_database: str) -> None:
    """As with `worker start` the exit code is 3."""
    ended = xnovu("notification", "revive", "1", DATABASE_URL=empty_database)

    assert ended.returncode == 3
    assert "xnovu db upgrade" in ended.stderr
    assert "Traceback" not in ended.stderr
