"""`xnovu notification`: what a person sees who lists, retracts and revives notifications."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.support.forked import Fork, xnovu
from tests.support.postgres import as_worker
from tests.support.programs import ENVIRONMENT
from tests.support.rows import Db, a_notification, a_workflow, back_dated, open_db, row, unguarded, written
from tests.support.waiting import wait_until
from xnovu_poller.cli.group import xnovu as program
from xnovu_poller.lifecycle import Status
from xnovu_poller.store.notifications.by_operator import NOVU_REMEMBERS

HOSTILE = "acme\x1b]0;mine\x07\n"


def run(url: str, *arguments: str, answer: str = "") -> Result:
    """Run a command on notifications in this process, with an answer to its question."""
    return CliRunner().invoke(program, ["notification", *arguments], input=answer, env={"DATABASE_URL": url})


def states(db: Db, *ids: int) -> list[str]:
    """Return the states of notifications."""
    return [row(db, id_)["notification_status"] for id_ in ids]


def audited(db: Db) -> list[dict[str, Any]]:
    """Return what the audit keeps, in its order."""
    found = db.execute(
        "SELECT action, actor, enterprise_id, filters, reason, counted, changed, finished_at IS NOT NULL AS ended"
        " FROM notify.ent_audit ORDER BY id"
    )
    return found.fetchall()


def a_dead(db: Db, code: str, **columns: Any) -> int:  # noqa: ANN401 - columns of any type
    """Insert a notification that became DEAD of a code."""
    made = a_notification(db, status=Status.DEAD, **columns)
    written(db, made, error_details={"code": code, "message": f"template: {code}"})
    return made


def test_a_list_shows_the_newest_and_how_to_go_on(db: Db, database: str) -> None:
    """The table is on stdout, and all else on stderr, so that you can pipe it."""
    workflow = a_workflow(db, key="evacuate")
    dead = a_dead(db, "template_missing", workflow=workflow, recipients=["user-1", "user-2"])
    sent = a_notification(db, status=Status.SENT)

    whole = run(database, "list")
    assert (whole.exit_code, whole.stderr) == (0, "")
    head, first, second = whole.stdout.splitlines()
    assert head.split() == ["ID", "INSERTED", "ENTERPRISE", "WORKFLOW", "STATE", "TO", "WHY"]
    assert (first.split()[0], second.split()[0]) == (str(sent), str(dead))
    assert second.endswith(
        "acme        evacuate  DEAD   user-1 +1     template_missing: template: template_missing"
    )

    part = json.loads(run(database, "list", "--limit", "1", "--json").stdout)
    assert [found["id"] for found in part["notifications"]] == [sent]
    rest = json.loads(run(database, "list", "--after", part["after"], "--json").stdout)
    assert rest["after"] is None
    (found,) = rest["notifications"]
    assert {name: found[name] for name in ("id", "status", "workflow_key", "recipient_count", "code")} == {
        "id": dead,
        "status": "DEAD",
        "workflow_key": "evacuate",
        "recipient_count": 2,
        "code": "template_missing",
    }
    assert "--after" in run(database, "list", "--limit", "1").stderr

    none = run(database, "list", "--state", "failed", "--since", "24h")
    assert (none.exit_code, none.stdout, none.stderr) == (0, "", "No notification matches these filters.\n")


def test_no_text_of_a_tenant_reaches_the_terminal_unescaped(db: Db, database: str) -> None:
    """Neither in a list nor in a count."""
    made = a_notification(db, workflow=a_workflow(db, key=f"k{HOSTILE}"))
    with unguarded(db):
        written(db, made, enterprise_id=HOSTILE, recipients=["user\x1b[2J"])

    for arguments in (["list"], ["list", "--json"], ["retract", "--all", "--dry-run"]):
        shown = run(database, *arguments)
        assert shown.exit_code == 0
        assert "acme\\u001b]0;mine\\u0007" in shown.output
        assert not {"\x1b", "\x07"} & set(shown.output)


def test_each_notification_has_its_line(db: Db, database: str) -> None:
    """If any was not revived, the exit code is 1 and its line has the reason."""
    dead, sent, doubtful = (
        a_notification(db, status=status) for status in (Status.DEAD, Status.SENT, Status.DEAD)
    )
    written(db, doubtful, unknown_outcomes=1)
    back_dated(db, doubtful, 2 * NOVU_REMEMBERS, "processed_at")
    ids = [str(id_) for id_ in (dead, sent, doubtful, doubtful + 1)]

    tried = run(database, "revive", *ids, "--dry-run")
    assert tried.stdout.splitlines() == [
        f"{dead}: is DEAD",
        f"{sent}: not revived: it is SENT",
        f"{doubtful}: is DEAD",
        f"{doubtful + 1}: not revived: no notification has this id",
    ]
    assert (tried.exit_code, audited(db)) == (1, [])

    ended = xnovu("notification", "revive", *ids, DATABASE_URL=database)
    assert (ended.returncode, ended.stderr) == (1, "")
    lines = ended.stdout.splitlines()
    assert lines[:2] == [f"{dead}: PENDING again", f"{sent}: not revived: it is SENT"]
    assert "--force" in lines[2]
    assert lines[3] == f"{doubtful + 1}: not revived: no notification has this id"
    assert states(db, dead, sent, doubtful) == ["PENDING", "SENT", "DEAD"]

    forced = run(database, "revive", "--force", str(doubtful))
    assert (forced.exit_code, forced.stdout) == (0, f"{doubtful}: PENDING again\n")
    assert [(line["counted"], line["changed"], line["ended"]) for line in audited(db)] == [
        (4, 1, True),
        (1, 1, True),
    ]


def test_many_are_counted_confirmed_and_revived(db: Db, database: str) -> None:
    """Only what the filters choose; without a clear yes nothing changes."""
    wanted = [a_dead(db, "template_missing", enterprise=name) for name in ("acme", "acme", "globex")]
    other, withdrawn = a_dead(db, "poison"), a_notification(db, status=Status.RETRACTED)
    filters = ("revive", "--code", "template_missing")
    counted = "3 notifications match: 3 DEAD (acme 2, globex 1).\n"

    dry = run(database, *filters, "--dry-run")
    assert (dry.exit_code, dry.output) == (0, counted)
    advice = "Without a terminal, confirm with --yes.\n"
    for answer, ending in (("n\n", ".\n"), ("", f". {advice}"), ("perhaps\n", f". {advice}")):
        refused = run(database, *filters, answer=answer)
        assert (refused.exit_code, refused.stdout) == (1, counted)
        assert "Revive 3? [y/N]" in refused.stderr
        assert refused.stderr.endswith(f"Nothing was changed{ending}")
    assert states(db, *wanted) == ["DEAD"] * 3
    assert audited(db) == []

    done = run(database, *filters, "--actor", "ann", answer="y\n")
    assert (done.exit_code, done.stdout) == (0, counted + "3 PENDING again\n")
    assert states(db, *wanted, other, withdrawn) == ["PENDING"] * 3 + ["DEAD", "RETRACTED"]
    (line,) = audited(db)
    assert line["filters"].pop("until") == line["filters"].pop("ended")
    assert line == {
        "action": "revive",
        "actor": "ann",
        "enterprise_id": None,
        "filters": {"state": ["DEAD"], "code": "template_missing"},
        "reason": None,
        "counted": 3,
        "changed": 3,
        "ended": True,
    }

    none = run(database, *filters, "--yes")
    assert (none.exit_code, none.output) == (1, "No notification matches these filters.\n")
    both = run(database, "revive", "--state", "retracted", "--state", "dead", "--yes", "--json")
    assert json.loads(both.stdout) == {
        "action": "revive",
        "dry_run": False,
        "counted": 2,
        "is_complete": True,
        "by_state": {"DEAD": 1, "RETRACTED": 1},
        "by_enterprise": {"acme": 2},
        "effects": {"revived": 2},
    }


def test_many_are_retracted(db: Db, database: str) -> None:
    """What was sent only by its state; the audit keeps no recipient."""
    ids = {status: a_notification(db, status=status) for status in Status}
    to_user = a_notification(db, enterprise="globex", recipients=["user-17"])

    one = run(database, "retract", "--recipient", "user-17", "--reason", "wrong text", "--yes")
    assert one.stdout == "1 notification matches: 1 PENDING (globex 1).\n1 RETRACTED\n"
    assert row(db, to_user)["retraction_reason"] == "wrong text"
    everything = run(database, "retract", "--all", "--yes")
    assert everything.stdout.splitlines() == [
        "3 notifications match: 1 PENDING, 1 FAILED, 1 PROCESSING (acme 3).",
        "3 RETRACTED",
    ]
    assert states(db, ids[Status.SENT], ids[Status.DEAD]) == ["SENT", "DEAD"]
    sent = run(database, "retract", "--enterprise", "acme", "--state", "sent", "--yes")
    assert sent.stdout.endswith("1 SENT: Novu is asked to cancel the steps that it delays\n")
    by_id = run(database, "retract", str(ids[Status.SENT]), str(ids[Status.DEAD]), "--json")
    assert [found["effect"] for found in json.loads(by_id.stdout)["notifications"]] == ["cancelled", "unfit"]
    assert [(line["filters"].get("recipient"), line["reason"], line["changed"]) for line in audited(db)] == [
        ("(not kept)", "wrong text", 1),
        (None, "retracted", 3),
        (None, "retracted", 1),
        (None, "retracted", 1),
    ]


@contextmanager
def retracting_all(db: Db, url: str, output: Path) -> Iterator[Fork]:
    """Retract two notifications, and wait until the first batch is done; the other row is locked."""
    locked, _ = a_notification(db), a_notification(db)
    with open_db(url) as holder, holder.transaction():
        holder.execute("SELECT FROM notify.ent_notification WHERE id = %s FOR UPDATE", [locked])
        arguments = ["notification", "retract", "--all", "--yes"]
        with Fork(arguments, {**ENVIRONMENT, "DATABASE_URL": as_worker(url)}, output) as command:
            try:
                wait_until(lambda: [line["changed"] for line in audited(db)] == [1])
                yield command
            finally:
                command.kill()
    assert "Traceback" not in output.read_text()
    assert [(line["changed"], line["ended"]) for line in audited(db)] == [(1, False)]


def test_a_stop_in_the_middle_shows_how_many_were_changed(db: Db, database: str, tmp_path: Path) -> None:
    """Ctrl-C while it waits for a locked row; the audit has the same count, and no end."""
    output = tmp_path / "output"
    with retracting_all(db, database, output) as command:
        command.send_signal(signal.SIGINT)
        assert command.wait(60) == 1

    assert "Stopped in the middle; 1 were changed (line 1 of notify.ent_audit)." in output.read_text()


def test_a_database_that_goes_away_in_the_middle_has_the_count(db: Db, database: str, tmp_path: Path) -> None:
    """The command names the line of the audit that shows it."""
    output = tmp_path / "output"
    try:
        with retracting_all(db, database, output) as command:
            db.execute("ALTER ROLE a_worker NOLOGIN")
            db.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE usename = 'a_worker' AND datname = current_database()"
            )
            assert command.wait(60) == 1
    finally:
        db.execute("ALTER ROLE a_worker LOGIN")

    _, stopped, reason = output.read_text().splitlines()
    assert stopped == "Stopped in the middle; line 1 of notify.ent_audit shows how many were changed."
    assert reason.startswith("xnovu: database: ")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["retract"], "choose notifications by ids, or by filters, or all of them by --all"),
        (["revive", "1", "--all"], "choose notifications by ids, or by filters"),
        (["revive", "1", "--code", "poison"], "choose notifications by ids, or by filters"),
        (["retract", "--state", "dead"], "'dead' is not one of"),
        (["revive", "0"], "0 is not in the range"),
        (["list", "--since", "yesterday"], "'yesterday' is not a time; write 2026-11-30"),
        (["list", "--since", "999999999d"], "is not a time"),
        (["list", "--after", "7"], "is not what `xnovu notification list` printed"),
        (["list", "--code", "\udcff"], "is not valid UTF-8"),
        (["retract", "--all", "--actor", ""], "is not a name of 1 to 60 characters"),
    ],
)
def test_a_choice_that_cannot_be_meant_is_a_usage_error(arguments: list[str], sentence: str) -> None:
    """It is found before anything connects."""
    refused = run("postgresql://nobody@127.0.0.1:1/none", *arguments)

    assert refused.exit_code == 2
    assert sentence in refused.stderr


@pytest.mark.parametrize(
    "arguments", [["list"], ["retract", "--all", "--yes"], ["revive", "1"], ["revive", "1", "--dry-run"]]
)
def test_a_database_that_is_away_is_reported_in_a_sentence(arguments: list[str]) -> None:
    """The exit code is 1."""
    away = run("postgresql://nobody@127.0.0.1:1/none", *arguments)

    assert (away.exit_code, away.stdout) == (1, "")
    assert away.stderr.startswith("xnovu: database: ")
    assert "Traceback" not in away.stderr


def test_a_database_without_the_schema_is_reported_in_a_sentence(empty_database: str) -> None:
    """As with `worker start` the exit code is 3."""
    ended = xnovu("notification", "revive", "1", DATABASE_URL=empty_database)

    assert ended.returncode == 3
    assert "xnovu db upgrade" in ended.stderr
    assert "Traceback" not in ended.stderr
