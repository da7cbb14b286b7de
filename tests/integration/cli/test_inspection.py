"""`xnovu inspect`: each question, and that a tenant's text cannot reach the terminal as it is."""

import json
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result

from tests.support.ports import closed_port
from tests.support.rows import Db, a_notification
from xnovu_poller.cli.group import xnovu


@pytest.fixture(autouse=True)
def _on_this_database(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point the commands to the test's database, and to nothing else."""
    monkeypatch.delenv("NOVU_SECRET_KEY", raising=False)
    monkeypatch.setenv("DATABASE_URL", database)


def run(question: str, *words: str) -> Result:
    """Ask a question."""
    return CliRunner().invoke(xnovu, ["inspect", question, *words])


def answer(question: str) -> list[dict[str, Any]]:
    """Return the answer to a question."""
    ended = run(question, "--json")
    assert (ended.exit_code, ended.stderr) == (0, ""), ended.output
    rows: list[dict[str, Any]] = json.loads(ended.stdout)
    return rows


def test_each_question_has_an_answer_for_people_and_programs(db: Db) -> None:
    """The text of a tenant is escaped; nothing is written."""
    assert run("backlog").stdout == "Nothing.\n"
    a_notification(db, enterprise="acme\x1b[31m")

    listed = run("tenants")

    assert r"acme\u001b[31m" in listed.stdout
    assert "\x1b" not in listed.stdout
    assert listed.stdout.startswith("ENTERPRISE ID   DUE  PAUSED  OLDEST DUE SECONDS")
    assert run("backlog").stdout.splitlines()[1].split()[:4] == ["new", "PENDING", "1", "0"]
    assert [row["due"] for row in answer("backlog")] == [1]
    assert {row["kind"] for row in answer("bloat")} == {"table", "index"}
    assert answer("slow") == []
    assert db.execute("SELECT FROM notify.ent_notification WHERE attempt > 0").rowcount == 0


def test_a_session_that_holds_locks_is_shown(db: Db, database: str) -> None:
    """With its program and its state; the worker skips its rows."""
    made = a_notification(db)
    with psycopg.connect(database, application_name="report\x1b[31m") as other:
        other.execute("SELECT FROM notify.ent_notification WHERE id = %s FOR UPDATE", [made])

        (row,) = answer("locks")
        shown = run("locks").stdout
        holding = ("ent_notification", None, other.info.backend_pid)

    assert (row["table"], row["waiting_pid"], row["holding_pid"]) == holding
    assert "\x1b" not in shown


def test_a_database_that_is_away_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit code is 1."""
    with closed_port() as port:
        monkeypatch.setenv("DATABASE_URL", f"postgresql://nobody@127.0.0.1:{port}/none")
        ended = run("backlog")

    assert ended.exit_code == 1
    assert ended.stderr.startswith("xnovu: database: does not answer (Connection refused")
