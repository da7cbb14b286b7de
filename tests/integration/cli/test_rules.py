"""`xnovu rules`: what a person reads of the rows, and writes on them."""

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
    """Let the commands find the test's database, and nothing else."""
    monkeypatch.delenv("NOVU_SECRET_KEY", raising=False)
    monkeypatch.setenv("DATABASE_URL", database)


def run(*words: str | int) -> tuple[int, str]:
    """Run a command within this process; give its exit code and all that it prints."""
    ended = CliRunner().invoke(xnovu, ["rules", *map(str, words)])
    return ended.exit_code, ended.output


def told(*words: str | int, code: int = 0) -> Any:  # noqa: ANN401 - JSON
    """Give what a command tells programs."""
    ended, output = run(*words, "--json")
    assert ended == code, output
    return json.loads(output)


def marked(db: Db, rule_id: int, status: str, error: str | None = None) -> None:
    """Write on a rule what a worker would."""
    db.execute(
        "UPDATE notify.ent_notification_rule SET rule_status = %s, rule_error = %s,"
        " last_fired_at = now(), last_outcome = 'created' WHERE id = %s",
        [status, error, rule_id],
    )


def deactivated(db: Db, rule_id: int) -> bool:
    """Say whether a rule's row is."""
    found = db.execute(
        "SELECT deactivated FROM notify.ent_notification_rule WHERE id = %s", [rule_id]
    ).fetchone()
    assert found is not None
    return bool(found["deactivated"])


def test_an_empty_table_is_listed() -> None:
    """The head alone, or an empty array."""
    assert run("list")[1].split()[:3] == ["ID", "ENTERPRISE", "NAME"]
    assert told("list") == []


def test_rules_are_listed_with_what_is_next(db: Db) -> None:
    """In the rule's zone; a rule that stands still has nothing next."""
    workflow = a_workflow(db)
    runs = a_rule(db, workflow=workflow, name="reminder", trigger_config=AT_DAWN)
    draft = a_rule(db, workflow=workflow, enterprise="globex", publish_status="DRAFT")
    broken = a_rule(db, workflow=workflow, trigger_config={"cron": "0 9 * *"})
    marked(db, runs, "SCHEDULED")
    marked(db, broken, "INVALID", "cron: has 4 fields")

    found = {one["id"]: one for one in told("list")}

    assert [*found] == [runs, draft, broken]
    assert all(sorted(one) == KEYS for one in found.values())
    assert found[runs]["next_at"][11:19] == "02:30:00"
    assert found[runs]["next_at"][19:] in {"+01:00", "+02:00"}
    assert (found[runs]["status"], found[runs]["last_outcome"]) == ("SCHEDULED", "created")
    assert (found[draft]["active"], found[draft]["status"], found[draft]["next_at"]) == (False, None, None)
    assert (found[broken]["error"], found[broken]["next_at"]) == ("cron: has 4 fields", None)
    marked(db, runs, "FAILED", "Temporal: refuses the schedule (too many)")
    assert next(one["next_at"] for one in told("list") if one["id"] == runs) is None
    marked(db, runs, "SCHEDULED")

    lines = run("list")[1].splitlines()
    assert lines[1].split()[:3] == [str(runs), "acme", "reminder"]
    assert "30 2 * * * Europe/Berlin" in lines[1]
    assert "UNSEEN" in lines[2]


def test_a_rules_name_gives_no_orders_to_a_terminal(db: Db) -> None:
    """In no table; JSON tells all of it, spelt so that it does not either."""
    name = "\x1b[2J\u202e\n7  acme \x9b" + "x" * 100
    rule = a_rule(db, workflow=a_workflow(db), name=name, trigger_config={"cron": f"{'0 9 * * *':<900}"})
    marked(db, rule, "FAILED", f"Temporal: refuses {name}")

    for words in (["list"], ["list", "--json"], ["validate"]):
        output = CliRunner().invoke(xnovu, ["rules", *words], color=True).output
        assert "\\u001b[2J" in output
        assert all(character.isprintable() or character == "\n" for character in output)

    listed = run("list")[1].splitlines()
    assert (len(listed), max(map(len, listed)) < 400) == (2, True)
    assert told("list")[0]["name"] == name


def test_a_list_is_narrowed(db: Db) -> None:
    """By enterprise, by status, by both."""
    workflow = a_workflow(db)
    ours, new = a_rule(db, workflow=workflow), a_rule(db, workflow=workflow)
    theirs = a_rule(db, workflow=workflow, enterprise="globex")
    marked(db, ours, "SCHEDULED")
    marked(db, theirs, "SCHEDULED")

    def ids(*words: str) -> list[int]:
        return [one["id"] for one in told("list", *words)]

    assert ids("--enterprise", "acme") == [ours, new]
    assert ids("--status", "scheduled") == [ours, theirs]
    assert ids("--status", "UNSEEN") == [new]
    assert ids("--enterprise", "globex", "--status", "UNSEEN") == []


def test_a_rule_is_previewed_from_its_row(db: Db) -> None:
    """As --cron and --timezone would be."""
    rule = a_rule(db, workflow=a_workflow(db), trigger_config=AT_DAWN)
    range_ = ("-n", "3", "--from", "2027-03-27")

    found = told("preview", rule, *range_)

    assert [each["mark"] for each in found["coming"]] == ["", "skipped", "", ""]
    assert found == told("preview", "--cron", AT_DAWN["cron"], "--timezone", AT_DAWN["timezone"], *range_)


def test_a_preview_of_what_cannot_be_names_the_rule(db: Db) -> None:
    """With what to write instead."""
    rule = a_rule(db, workflow=a_workflow(db), trigger_config={"cron": "0 9 * *"})

    code, output = run("preview", rule)

    assert code == 1
    assert output.startswith(f"Error: rule {rule}: cron")


@pytest.mark.parametrize("command", ["preview", "pause", "resume"])
def test_a_rule_that_is_not_there_is_told(command: str) -> None:
    """Exit code 1, and where to look."""
    assert run(command, 7) == (
        1,
        "Error: rule 7: there is none of this id; `xnovu rules list` tells which are\n",
    )


def test_each_kind_of_fault_is_found(db: Db) -> None:
    """Times, workflow, recipients, and what Temporal refused; one sound rule has none."""
    workflow = a_workflow(db)
    sound = a_rule(db, workflow=workflow)
    times = a_rule(db, workflow=workflow, trigger_config={"cron": "61 * * * *"})
    foreign = a_rule(db, workflow=a_workflow(db, enterprise="globex", key="theirs"))
    draft = a_rule(db, workflow=a_workflow(db, key="draft", publish_status="DRAFT"))
    nobody = a_rule(db, workflow=workflow, rule_payload={"recipients": []})
    refused = a_rule(db, workflow=workflow)
    marked(db, refused, "FAILED", "Temporal: refuses the schedule (too many)")

    found = told("validate", code=1)

    assert found["checked"] == 6
    assert [fault["rule_id"] for fault in found["faults"]] == [times, foreign, draft, nobody, refused]
    assert "too many" in found["faults"][-1]["reason"]
    assert told("validate", sound) == {"checked": 1, "faults": []}

    code, output = run("validate", times, nobody)
    assert code == 1
    assert [line.split()[0] for line in output.splitlines()[:-1]] == ["RULE", str(times), str(nobody)]
    assert output.endswith("2 checked, 2 with faults.\n")
    assert run("validate", sound) == (0, "1 checked, 0 with faults.\n")


def test_a_rule_to_validate_that_is_not_there_is_a_fault(db: Db) -> None:
    """The others are checked all the same."""
    rule = a_rule(db, workflow=a_workflow(db))

    found = told("validate", rule, rule + 1, code=1)

    assert (found["checked"], [fault["rule_id"] for fault in found["faults"]]) == (1, [rule + 1])


def test_a_rule_is_paused_and_resumed(db: Db) -> None:
    """On its row, which its schedule follows; twice is as good as once."""
    rule = a_rule(db, workflow=a_workflow(db))

    assert run("pause", rule)[0] == 0
    assert deactivated(db, rule)
    assert told("pause", rule) == {"rule_id": rule, "deactivated": True, "active": False}

    assert run("resume", rule) == (
        0,
        f"Rule {rule} is active; its schedule goes on from the next comparison on.\n",
    )
    assert not deactivated(db, rule)
    assert told("resume", rule) == {"rule_id": rule, "deactivated": False, "active": True}


def test_a_draft_stays_paused(db: Db) -> None:
    """Resuming is not publishing."""
    rule = a_rule(db, workflow=a_workflow(db), publish_status="DRAFT", deactivated=True)

    code, output = run("resume", rule)

    assert code == 0
    assert "not PUBLISH either" in output


def test_what_cannot_be_made_up_for_is_refused(db: Db) -> None:
    """Each with its reason, before Temporal is asked for anything."""
    workflow = a_workflow(db)
    rule = a_rule(db, workflow=workflow)
    minutely = a_rule(db, workflow=workflow, trigger_config={"cron": "* * * * *"})
    once = a_rule(db, workflow=workflow, trigger_type="SCHEDULE", trigger_config={"at": "2026-05-01T09:00Z"})
    draft = a_rule(db, workflow=workflow, publish_status="DRAFT")

    def refused(rule_id: int, start: str, end: str) -> tuple[int, str]:
        code, output = run("backfill", rule_id, "--from", start, "--to", end)
        return code, output.splitlines()[-1]

    assert refused(rule, "2026-03-02", "2026-03-01") == (2, "Error: --to lies before --from")
    assert refused(rule, "2026-03-02", "2100-01-01")[1].startswith("Error: --to lies ahead")
    assert refused(rule, "2026-03-02T10:00", "2026-03-02T11:00")[1].startswith("Error: no time of the rule")
    assert refused(minutely, "2026-03-01", "2026-03-02")[1].startswith("Error: more than 1000 firings")
    assert refused(once, "2026-03-01", "2026-06-01")[1].startswith(f"Error: rule {once}: it fires once")
    assert refused(draft, "2026-03-01", "2026-06-01")[1].startswith(
        f"Error: rule {draft}: it is deactivated or"
    )


def test_a_database_without_the_schema_is_told_in_a_sentence(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `worker start` does: exit code 3."""
    monkeypatch.setenv("DATABASE_URL", empty_database)

    code, output = run("list")

    assert code == 3
    assert "xnovu db upgrade" in output
