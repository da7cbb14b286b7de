"""`xnovu rules`: the commands that need only the database."""

import json
from typing import Any

import pytest
from click.testing import CliRunner

from tests.support.rows import Db, a_rule, a_workflow
from xnovu_poller.cli.group import xnovu

AT_DAWN = {"cron": "30 2 * * *", "timezone": "Europe/Berlin"}
KEYS = [
    "active",
    "done_for",
    "enterprise_id",
    "error",
    "id",
    "last_fired_at",
    "last_outcome",
    "name",
    "next_at",
    "status",
    "trigger_config",
    "trigger_type",
    "workflow_id",
]


@pytest.fixture(autouse=True)
def _in_this_database(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point the commands to the test's database, and to nothing else."""
    monkeypatch.delenv("NOVU_SECRET_KEY", raising=False)
    monkeypatch.setenv("DATABASE_URL", database)


def run(*words: str | int) -> tuple[int, str]:
    """Run a command in this process; return its exit code and output."""
    ended = CliRunner().invoke(xnovu, ["rules", *map(str, words)])
    return ended.exit_code, ended.output


def run_json(*words: str | int, code: int = 0) -> Any:  # noqa: ANN401 - JSON
    """Return the JSON that a command prints."""
    ended, output = run(*words, "--json")
    assert ended == code, output
    return json.loads(output)


def record_state(db: Db, rule_id: int, status: str, error: str | None = None) -> None:
    """Write a rule's state as a worker does."""
    db.execute(
        "UPDATE notify.ent_notification_rule SET rule_status = %s, rule_error = %s,"
        " last_fired_at = now(), last_outcome = 'created' WHERE id = %s",
        [status, error, rule_id],
    )


def is_deactivated(db: Db, rule_id: int) -> bool:
    """Return whether a rule is deactivated in its row."""
    found = db.execute(
        "SELECT deactivated FROM notify.ent_notification_rule WHERE id = %s", [rule_id]
    ).fetchone()
    assert found is not None
    return bool(found["deactivated"])


def test_an_empty_table_is_listed() -> None:
    """The table has only its head, and the JSON array is empty."""
    assert run("list")[1].split()[:3] == ["ID", "ENTERPRISE", "NAME"]
    assert run_json("list") == []


def test_rules_are_listed_with_their_next_firing(db: Db) -> None:
    """The time is in the rule's zone; a rule that is not served has none."""
    workflow = a_workflow(db)
    runs = a_rule(db, workflow=workflow, name="reminder", trigger_config=AT_DAWN)
    draft = a_rule(db, workflow=workflow, enterprise="globex", publish_status="DRAFT")
    broken = a_rule(db, workflow=workflow, trigger_config={"cron": "0 9 * *"})
    record_state(db, runs, "SCHEDULED")
    record_state(db, broken, "INVALID", "cron: has 4 fields")

    found = {rule["id"]: rule for rule in run_json("list")}

    assert [*found] == [runs, draft, broken]
    assert all(sorted(rule) == KEYS for rule in found.values())
    assert found[runs]["next_at"][11:19] == "02:30:00"
    assert found[runs]["next_at"][19:] in {"+01:00", "+02:00"}
    assert (found[runs]["status"], found[runs]["last_outcome"]) == ("SCHEDULED", "created")
    assert (found[draft]["active"], found[draft]["status"], found[draft]["next_at"]) == (False, None, None)
    assert (found[broken]["error"], found[broken]["next_at"]) == ("cron: has 4 fields", None)
    record_state(db, runs, "FAILED", "Temporal: refuses the schedule (too many)")
    assert next(rule["next_at"] for rule in run_json("list") if rule["id"] == runs) is None
    record_state(db, runs, "SCHEDULED")

    lines = run("list")[1].splitlines()
    assert lines[1].split()[:3] == [str(runs), "acme", "reminder"]
    assert "30 2 * * * Europe/Berlin" in lines[1]
    assert "UNSEEN" in lines[2]


def test_a_rules_name_cannot_control_a_terminal(db: Db) -> None:
    """Tables cut it; JSON has all of it, escaped."""
    name = "\x1b[2J\u202e\n7  acme \x9b" + "x" * 100
    rule = a_rule(db, workflow=a_workflow(db), name=name, trigger_config={"cron": f"{'0 9 * * *':<900}"})
    record_state(db, rule, "FAILED", f"Temporal: refuses {name}")

    for words in (["list"], ["list", "--json"], ["validate"]):
        output = CliRunner().invoke(xnovu, ["rules", *words], color=True).output
        assert "\\u001b[2J" in output
        assert all(character.isprintable() or character == "\n" for character in output)

    listed = run("list")[1].splitlines()
    assert (len(listed), max(map(len, listed)) < 400) == (2, True)
    assert run_json("list")[0]["name"] == name


def test_a_list_can_be_filtered(db: Db) -> None:
    """The filters are the enterprise and the status."""
    workflow = a_workflow(db)
    ours, new = a_rule(db, workflow=workflow), a_rule(db, workflow=workflow)
    theirs = a_rule(db, workflow=workflow, enterprise="globex")
    record_state(db, ours, "SCHEDULED")
    record_state(db, theirs, "SCHEDULED")

    def ids(*words: str) -> list[int]:
        return [rule["id"] for rule in run_json("list", *words)]

    assert ids("--enterprise", "acme") == [ours, new]
    assert ids("--status", "scheduled") == [ours, theirs]
    assert ids("--status", "UNSEEN") == [new]
    assert ids("--enterprise", "globex", "--status", "UNSEEN") == []


def test_a_rule_is_previewed_from_its_row(db: Db) -> None:
    """The times equal those of --cron and --timezone."""
    rule = a_rule(db, workflow=a_workflow(db), trigger_config=AT_DAWN)
    range_ = ("-n", "3", "--from", "2027-03-27")

    found = run_json("preview", rule, *range_)

    assert [each["mark"] for each in found["coming"]] == ["", "skipped", "", ""]
    assert found == run_json("preview", "--cron", AT_DAWN["cron"], "--timezone", AT_DAWN["timezone"], *range_)


def test_a_preview_of_an_invalid_rule_names_the_rule(db: Db) -> None:
    """The error also names what to write instead."""
    rule = a_rule(db, workflow=a_workflow(db), trigger_config={"cron": "0 9 * *"})

    code, output = run("preview", rule)

    assert code == 1
    assert output.startswith(f"Error: rule {rule}: cron")


@pytest.mark.parametrize("command", ["preview", "pause", "resume"])
def test_a_missing_rule_is_an_error(command: str) -> None:
    """The exit code is 1, and the error names the command that lists all."""
    assert run(command, 7) == (
        1,
        "Error: rule 7: does not exist; `xnovu rules list` shows all rules\n",
    )


def test_each_kind_of_fault_is_found(db: Db) -> None:
    """Faults are in times, workflows, recipients, and schedules that Temporal refused; a valid rule has none."""
    workflow = a_workflow(db)
    sound = a_rule(db, workflow=workflow)
    times = a_rule(db, workflow=workflow, trigger_config={"cron": "61 * * * *"})
    foreign = a_rule(db, workflow=a_workflow(db, enterprise="globex", key="theirs"))
    draft = a_rule(db, workflow=a_workflow(db, key="draft", publish_status="DRAFT"))
    nobody = a_rule(db, workflow=workflow, rule_payload={"recipients": []})
    refused = a_rule(db, workflow=workflow)
    record_state(db, refused, "FAILED", "Temporal: refuses the schedule (too many)")

    found = run_json("validate", code=1)

    assert found["checked"] == 6
    assert [fault["rule_id"] for fault in found["faults"]] == [times, foreign, draft, nobody, refused]
    assert "too many" in found["faults"][-1]["reason"]
    assert run_json("validate", sound) == {"checked": 1, "faults": [], "warnings": []}

    code, output = run("validate", times, nobody)
    assert code == 1
    assert [line.split()[0] for line in output.splitlines()[:-1]] == ["RULE", str(times), str(nobody)]
    assert output.endswith("2 checked, 2 with faults.\n")
    assert run("validate", sound) == (0, "1 checked, 0 with faults.\n")


def test_to_validate_a_missing_rule_is_a_fault(db: Db) -> None:
    """The others are still checked."""
    rule = a_rule(db, workflow=a_workflow(db))

    found = run_json("validate", rule, rule + 1, code=1)

    assert (found["checked"], [fault["rule_id"] for fault in found["faults"]]) == (2, [rule + 1])


def test_a_rule_is_paused_and_resumed(db: Db) -> None:
    """The command writes the row; to repeat it changes nothing."""
    rule = a_rule(db, workflow=a_workflow(db))

    assert run("pause", rule)[0] == 0
    assert is_deactivated(db, rule)
    assert run_json("pause", rule) == {"rule_id": rule, "deactivated": True, "active": False}

    assert run("resume", rule) == (
        0,
        f"Rule {rule} is active; a worker will resume its schedule.\n",
    )
    assert not is_deactivated(db, rule)
    assert run_json("resume", rule) == {"rule_id": rule, "deactivated": False, "active": True}


def test_a_draft_stays_paused(db: Db) -> None:
    """A resumed rule is not published."""
    rule = a_rule(db, workflow=a_workflow(db), publish_status="DRAFT", deactivated=True)

    code, output = run("resume", rule)

    assert code == 0
    assert "it is not PUBLISH" in output


def test_an_impossible_backfill_is_refused(db: Db) -> None:
    """Each refusal has its reason, and comes before any call to Temporal."""
    workflow = a_workflow(db)
    rule = a_rule(db, workflow=workflow)
    minutely = a_rule(db, workflow=workflow, trigger_config={"cron": "* * * * *"})
    once = a_rule(db, workflow=workflow, trigger_type="SCHEDULE", trigger_config={"at": "2026-05-01T09:00Z"})
    draft = a_rule(db, workflow=workflow, publish_status="DRAFT")

    def refused(rule_id: int, start: str, end: str) -> tuple[int, str]:
        code, output = run("backfill", rule_id, "--from", start, "--to", end)
        return code, output.splitlines()[-1]

    assert refused(rule, "2026-03-02", "2026-03-01") == (2, "Error: --to is before --from; swap them")
    assert refused(rule, "2026-03-02", "2100-01-01")[1].startswith("Error: --to is in the future")
    assert refused(rule, "2026-03-02T10:00", "2026-03-02T11:00")[1].startswith(
        "Error: the rule has no time in that range"
    )
    assert refused(minutely, "2026-03-01", "2026-03-02")[1].startswith(
        "Error: the range has more than 1000 firings"
    )
    assert refused(once, "2026-03-01", "2026-06-01")[1].startswith(f"Error: rule {once}: fires only once")
    assert refused(draft, "2026-03-01", "2026-06-01")[1].startswith(f"Error: rule {draft}: is deactivated or")


def test_a_database_without_the_schema_is_an_error(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exit code is 3, as with `worker start`."""
    monkeypatch.setenv("DATABASE_URL", empty_database)

    code, output = run("list")

    assert code == 3
    assert "xnovu db upgrade" in output
