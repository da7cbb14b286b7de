"""`xnovu rules`: the commands that need Temporal, and a worker."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.support.logs import logged_in_full
from tests.support.rows import Db, a_rule, a_workflow, row
from tests.support.waiting import wait_until
from tests.support.worker import running_worker
from xnovu_poller.cli.group import xnovu

HOURLY = {"cron": "0 * 1 3 *", "timezone": "Asia/Shanghai"}
"""On a single day of the year, so that it does not fire by itself during the test."""


@pytest.fixture(autouse=True)
def _on_these_servers(worker_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Point the commands to the test's servers, without a key of Novu; restore the log afterwards."""
    monkeypatch.delenv("NOVU_SECRET_KEY", raising=False)
    for name, value in worker_environment.items():
        monkeypatch.setenv(name, value)
    with logged_in_full():
        yield


def run(*words: str | int) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(xnovu, ["rules", *map(str, words)])


def run_json(*words: str | int, code: int = 0) -> Any:  # noqa: ANN401 - JSON
    """Return the JSON that a command prints."""
    ended = run(*words, "--json")
    assert (ended.exit_code, ended.stderr) == (code, ""), ended.output
    return json.loads(ended.stdout)


def test_a_rule_is_shown_fired_backfilled_and_paused(
    db: Db, worker_environment: dict[str, str], tmp_path: Path
) -> None:
    """A worker runs beside the commands."""
    rule = a_rule(db, workflow=a_workflow(db), trigger_config=HOURLY)
    with running_worker(tmp_path, **worker_environment):
        wait_until(lambda: status_of(db, rule) == "SCHEDULED")
        shown = run_json("show", rule)
        assert (shown["timing"]["zone"], shown["timing"]["catchup_seconds"]) == ("Asia/Shanghai", 60)
        assert not shown["schedule"]["paused"]
        assert len(shown["schedule"]["next_at"]) == 10

        fired = run_json("fire", rule)
        assert fired["outcome"] == "created"
        assert row(db, fired["notification_id"])["dedup_key"] == fired["run_id"]

        range_ = ("--from", "2026-03-01T09:00", "--to", "2026-03-01T11:59")
        made = run_json("backfill", rule, *range_)
        assert made["times"] == [f"2026-03-01T{hour:02}:00:00+08:00" for hour in (9, 10, 11)]
        wait_until(lambda: made_by(db, rule) == 4)

        assert run("pause", rule).exit_code == 0
        wait_until(lambda: status_of(db, rule) == "PAUSED")
        assert "its schedule is paused" in run("show", rule).stdout
        assert run_json("fire", rule, code=1)["outcome"] == "inactive"


def test_without_a_worker_fire_does_not_wait_and_backfill_is_refused(db: Db) -> None:
    """--no-wait prints the run; no worker has created a schedule yet."""
    rule = a_rule(db, workflow=a_workflow(db), trigger_config=HOURLY, name="drill\nactive        no")

    fired = run_json("fire", rule, "--no-wait")

    assert f"-rule-{rule}-fire-" in fired["run_id"]
    assert (fired["outcome"], fired["notification_id"]) == (None, None)
    assert run_json("show", rule)["schedule"] is None
    assert r"drill\nactive" in run("show", rule).stdout

    range_ = ("--from", "2026-03-01T09:00", "--to", "2026-03-01T09:00")
    ended = run("backfill", rule, *range_)
    assert (ended.exit_code, ended.stderr) == (
        1,
        f"Error: rule {rule}: has no schedule yet; start a worker, which creates it\n",
    )


def test_an_absent_temporal_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit code is 1, and no rule was touched."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")

    ended = run("fire", 7)

    assert ended.exit_code == 1
    assert ended.stderr.startswith("xnovu: Temporal: does not answer")


def status_of(db: Db, rule_id: int) -> object:
    """Return the status in a rule's row."""
    found = db.execute(
        "SELECT rule_status FROM notify.ent_notification_rule WHERE id = %s", [rule_id]
    ).fetchone()
    assert found is not None
    return found["rule_status"]


def made_by(db: Db, rule_id: int) -> int:
    """Count the notifications that a rule made."""
    found = db.execute(
        "SELECT count(*) AS made FROM notify.ent_notification WHERE notification_rule_id = %s", [rule_id]
    ).fetchone()
    assert found is not None
    return int(found["made"])
