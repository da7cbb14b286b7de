"""`xnovu rules`: what is asked of Temporal's schedules, and of a worker."""

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

HOURLY = {"cron": "0 * * * *", "timezone": "Asia/Shanghai"}


@pytest.fixture(autouse=True)
def _on_these_servers(worker_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the commands find the test's servers; no key of Novu is at hand, and the log is put back after."""
    monkeypatch.delenv("NOVU_SECRET_KEY", raising=False)
    for name, value in worker_environment.items():
        monkeypatch.setenv(name, value)
    with logged_in_full():
        yield


def run(*words: str | int) -> Result:
    """Run a command within this process."""
    return CliRunner().invoke(xnovu, ["rules", *map(str, words)])


def told(*words: str | int, code: int = 0) -> Any:  # noqa: ANN401 - JSON
    """Give what a command tells programs."""
    ended = run(*words, "--json")
    assert (ended.exit_code, ended.stderr) == (code, ""), ended.output
    return json.loads(ended.stdout)


def test_a_person_looks_after_a_rule(db: Db, worker_environment: dict[str, str], tmp_path: Path) -> None:
    """Shown, fired, made up for, and paused, beside a worker that runs."""
    rule = a_rule(db, workflow=a_workflow(db), trigger_config=HOURLY)
    with running_worker(tmp_path, **worker_environment):
        wait_until(lambda: status_of(db, rule) == "SCHEDULED")
        shown = told("show", rule)
        assert (shown["timing"]["zone"], shown["timing"]["catchup_seconds"]) == ("Asia/Shanghai", 60)
        assert not shown["schedule"]["paused"]
        assert len(shown["schedule"]["next_at"]) == 10

        fired = told("fire", rule)
        assert fired["outcome"] == "created"
        assert row(db, fired["notification_id"])["dedup_key"] == fired["workflow_id"]

        range_ = ("--from", "2026-03-01T09:00", "--to", "2026-03-01T11:59")
        made = told("backfill", rule, *range_)
        assert made["times"] == [f"2026-03-01T{hour:02}:00:00+08:00" for hour in (9, 10, 11)]
        wait_until(lambda: made_by(db, rule) == 4)

        assert run("pause", rule).exit_code == 0
        wait_until(lambda: status_of(db, rule) == "PAUSED")
        assert "its schedule stands still" in run("show", rule).stdout
        assert told("fire", rule, code=1)["outcome"] == "inactive"


def test_nobody_is_waited_for_who_does_not_listen(db: Db) -> None:
    """--no-wait says which workflow it is; no worker has made a schedule yet."""
    rule = a_rule(db, workflow=a_workflow(db), trigger_config=HOURLY, name="drill\nactive        no")

    fired = told("fire", rule, "--no-wait")

    assert f"-rule-{rule}-fire-" in fired["workflow_id"]
    assert (fired["outcome"], fired["notification_id"]) == (None, None)
    assert told("show", rule)["schedule"] is None
    assert r"drill\nactive" in run("show", rule).stdout

    range_ = ("--from", "2026-03-01T09:00", "--to", "2026-03-01T09:00")
    ended = run("backfill", rule, *range_)
    assert (ended.exit_code, ended.stderr) == (
        1,
        f"Error: rule {rule}: it has no schedule yet; a worker that runs makes it\n",
    )


def test_a_temporal_that_is_away_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 1; no rule was touched."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")

    ended = run("fire", 7)

    assert ended.exit_code == 1
    assert ended.stderr.startswith("xnovu: Temporal: does not answer")


def status_of(db: Db, rule_id: int) -> object:
    """Give what a rule's row says became of it."""
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
