"""`xnovu workflows`: what it prints, and its exit codes."""

import json
from pathlib import Path
from typing import Any

from tests.support.forked import xnovu
from tests.support.novu import NovuStandIn
from tests.support.rows import Db, a_workflow
from tests.support.syncing import Person, a_dynamic
from tests.support.waiting import wait_until
from tests.support.worker import running_worker


def run(database: str, standin: NovuStandIn, *words: str) -> tuple[int, str, str]:
    """Run a command; return its exit code and its output."""
    ended = xnovu(
        "workflows", *words, DATABASE_URL=database, NOVU_API_URL=standin.url, NOVU_SECRET_KEY="hush"
    )
    return ended.returncode, ended.stdout, ended.stderr


def test_a_sync_is_planned_made_and_listed(db: Db, database: str, novu_standin: NovuStandIn) -> None:
    """The exit code is 1 as long as a person has something to do."""
    a_dynamic(db, "welcome", "EMAIL", "SMS")

    code, printed, errors = run(database, novu_standin, "sync", "--dry-run")
    assert (code, errors) == (0, "")
    assert printed.splitlines() == [
        "ACTION  KEY      CHANNELS",
        "create  welcome  EMAIL, SMS",
        "Nothing was written.",
    ]
    words = ("sync", "--json", "--publish", "Development..Production")
    code, printed, _ = run(database, novu_standin, *words)
    assert (code, json.loads(printed)) == (
        0,
        {
            "dry_run": False,
            "workflows": [
                {"key": "welcome", "action": "create", "channels": ["EMAIL", "SMS"], "reason": None}
            ],
            "published": ["welcome: 1 added"],
            "problems": [],
        },
    )

    a_workflow(db, key="in-novu-only")
    code, printed, errors = run(database, novu_standin, *words[:1], *words[2:])
    assert (code, errors.startswith("xnovu: workflow in-novu-only: it is STATIC")) == (1, True)
    assert "publish" not in printed

    listed: list[dict[str, Any]] = json.loads(run(database, novu_standin, "list", "--json")[1])
    assert [(one["key"], one["written_at"] is None) for one in listed] == [
        ("in-novu-only", True),
        ("welcome", False),
    ]
    assert "welcome       DYNAMIC  1     EMAIL, SMS" in run(database, novu_standin, "list")[1]


def test_what_is_wrong_is_a_sentence(db: Db, database: str, novu_standin: NovuStandIn) -> None:
    """The key is in none of them."""
    assert run(database, novu_standin, "sync", "--publish", "Development")[0] == 2
    novu_standin.switch(secret_key="other")

    code, _, errors = run(database, novu_standin, "sync")

    assert (code, errors) == (1, "xnovu: Novu: answers 401; check NOVU_SECRET_KEY and NOVU_API_URL\n")


def test_a_worker_does_it_at_once_when_a_workflow_changes(
    db: Db, worker_environment: dict[str, str], person: Person, tmp_path: Path
) -> None:
    """The interval of the chores is longer than the test waits."""
    hourly = {"WORKFLOW_SYNC": "on", "RULE_POLL_INTERVAL_MS": "3600000"}
    with running_worker(tmp_path, **worker_environment, **hourly) as worker:
        wait_until(lambda: db.execute("SELECT FROM notify.chore WHERE name = 'workflows'").rowcount == 1)

        a_dynamic(db, "welcome", "SMS")

        wait_until(lambda: person.keys() == ["welcome"])
        assert worker.stop() == 0
