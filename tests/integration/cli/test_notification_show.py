"""`xnovu notification show`: the story for a person, with and without the servers that know it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.support.logs import logged_in_full
from tests.support.novu import NovuStandIn
from tests.support.rows import Db, a_notification, a_workflow, row
from tests.support.waiting import wait_until
from tests.support.worker import running_worker
from xnovu_poller.cli.group import xnovu
from xnovu_poller.lifecycle import Status

NOBODY = "127.0.0.1:1"

Command = Callable[..., Result]


@pytest.fixture
def run(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    """Yield what runs a command on the test's database, without Temporal and without a key of Novu."""
    monkeypatch.delenv("NOVU_SECRET_KEY", raising=False)
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("TEMPORAL_ADDRESS", NOBODY)

    def invoke(*words: str | int, **variables: str) -> Result:
        return CliRunner(env=variables).invoke(xnovu, ["notification", *map(str, words)])

    with logged_in_full():
        yield invoke


def ended(db: Db, id_: int) -> bool:
    """Return whether a notification is SENT or DEAD."""
    return row(db, id_)["notification_status"] in {Status.SENT, Status.DEAD}


def test_a_worker_and_its_servers_make_one_story(
    db: Db, run: Command, worker_environment: dict[str, str], tmp_path: Path, novu_standin: NovuStandIn
) -> None:
    """The process that claimed it, its tries, what Novu did, and the link; of a DEAD notification the reason."""
    workflow = a_workflow(db, default_channels=["EMAIL"])
    novu_standin.fault("accept_then_reset", times=1)
    asking = {**worker_environment, "NOVU_SECRET_KEY": "key-1", "TEMPORAL_UI_URL": "http://ui"}
    with running_worker(tmp_path, **worker_environment):
        sent = a_notification(db, workflow=workflow, recipients=["person-marker"])
        wait_until(lambda: ended(db, sent))
        dead = a_notification(db)
        wait_until(lambda: ended(db, dead))
        # A row is written a moment before its run ends.
        for id_ in (sent, dead):
            wait_until(lambda: "the run ended" in run("show", id_, **asking).stdout)  # noqa: B023
        story = json.loads(run("why", sent, "--json", **asking).stdout)
        shown = run("show", dead, **asking).stdout
        novu_standin.switch(secret_key="another")
        forbidden = run("show", sent, **asking).stdout

    texts = {f"{line['source']}: {line['text']}" for line in story["lines"]}
    assert story["unknown"] == []
    assert "after 1 call without a known outcome" in story["cause"]
    assert texts >= {
        "PostgreSQL: attempt 1: Novu may have accepted it, the outcome is unknown (novu_unanswered)",
        "Temporal: try 2 (regular) ended",
        "Novu: the triggers reached 1 subscriber",
    }
    claims = [line["worker"] for line in story["lines"] if line["text"].startswith("claimed")]
    assert [worker.partition("@")[0] for worker in claims] == ["xnovu"]
    assert story["temporal_url"] == f"http://ui/namespaces/default/workflows/{story['run_id']}"
    assert "person-marker" not in json.dumps(story)
    assert shown.startswith(f"Notification {dead} is DEAD: ")
    for part in (
        "code workflow_not_found",
        "the run ended, FAILED",
        f"run `xnovu notification revive {dead}`",
    ):
        assert part in shown
    assert "not known: what Novu did with it: Novu: answers 401; check NOVU_SECRET_KEY" in forbidden


def test_the_story_is_shown_without_temporal_and_novu(db: Db, run: Command) -> None:
    """And what they would know is named; no control character of a tenant reaches the terminal."""
    sent = a_notification(db, status=Status.SENT)
    withdrawn = a_notification(db)
    db.execute("SELECT notify.retract(%s, %s)", [withdrawn, "\x1b]0;mine\x07"])

    shown, escaped = run("show", sent), run("show", withdrawn)

    assert (shown.exit_code, shown.stderr) == (0, "")
    assert shown.stdout.startswith(f"Notification {sent} is SENT: Novu accepted it at its first attempt")
    assert "not known: which worker claimed it, and how its run went: Temporal: " in shown.stdout
    assert "not known: what Novu did with it: " in shown.stdout
    assert "NOVU_SECRET_KEY" in shown.stdout
    assert "next: nothing; retention deletes it later" in shown.stdout
    assert "with the reason: \\u001b]0;mine\\u0007." in escaped.stdout
    assert "\x1b" not in escaped.stdout


def test_a_notification_that_is_not_there_is_a_sentence(db: Db, run: Command) -> None:
    """Whether it was ever there is known."""
    deleted = a_notification(db)
    db.execute("DELETE FROM notify.ent_notification")

    gone, never = run("show", deleted), run("show", deleted + 1)

    assert (gone.exit_code, never.exit_code) == (1, 1)
    assert gone.stderr == (
        f"Error: notification {deleted}: does not exist; retention has deleted it, or its transaction was rolled back\n"
    )
    assert "no notification has had this id yet" in never.stderr
    assert run("show", "0").exit_code == 2
    assert run("show", "x").exit_code == 2


def test_a_database_that_is_away_is_a_sentence(run: Command, empty_database: str) -> None:
    """Exit code 1; a wrong address 2; a database without the schema 3."""
    away = run("show", 1, DATABASE_URL="postgresql://a:hush@127.0.0.1:1/b")
    wrong = run("show", 1, DATABASE_URL="mysql://a:hush@b/c")
    bare = run("show", 1, DATABASE_URL=empty_database)

    assert [ended.exit_code for ended in (away, wrong, bare)] == [1, 2, 3]
    assert all(
        "hush" not in ended.output and "Traceback" not in ended.output for ended in (away, wrong, bare)
    )
    assert away.stderr.startswith("xnovu: database: ")
