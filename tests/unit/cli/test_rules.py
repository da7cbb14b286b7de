"""`xnovu rules`: the commands that need no server, and refusals before any server is reached."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from xnovu_poller import settings
from xnovu_poller.cli.group import xnovu
from xnovu_poller.cli.rules.output import format_config, format_duration

HANDBOOK = (Path(__file__).parents[3] / "docs" / "rules.md").read_text(encoding="utf-8")
BERLIN = ("--cron", "30 2 * * *", "--timezone", "Europe/Berlin")


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove every setting of ours from the environment."""
    for row in settings.table():
        monkeypatch.delenv(row.variable, raising=False)


def run(*words: str) -> tuple[int, str]:
    """Run a command in this process; return its exit code and output."""
    ended = CliRunner().invoke(xnovu, ["rules", *words])
    return ended.exit_code, ended.output


def run_json(*words: str) -> Any:  # noqa: ANN401 - JSON
    """Return the JSON that a command prints."""
    code, output = run(*words, "--json")
    assert code == 0, output
    return json.loads(output)


def examples() -> Iterator[tuple[str, str]]:
    """Return each key of a trigger_config with each of its examples in the handbook."""
    section = HANDBOOK.partition("## When it fires")[2].partition("\n## ")[0]
    for line in section.splitlines():
        if line.startswith("| `"):
            key, *_, shown = line.strip("| ").split(" | ")
            for example in re.findall(r"`([^`]+)`", shown):
                yield key.strip("`"), example


@pytest.mark.parametrize(("key", "example"), [*examples()])
def test_each_example_of_the_handbook_is_valid(key: str, example: str) -> None:
    """Keys that are no times get a cron expression beside them, and all get a zone."""
    config = {key: json.loads(example)}
    if key in {"timezone", "jitter", "start_at", "end_at", "overlap", "catchup"}:
        config["cron"] = "0 9 * * *"

    assert run("validate", "--config", json.dumps({"timezone": "Asia/Shanghai"} | config))[0] == 0


def test_the_handbook_has_examples() -> None:
    """Otherwise the test above would pass if the table moved."""
    assert len([*examples()]) > 10


def test_a_skipped_time_is_marked() -> None:
    """On 28 March 2027 Berlin has no 02:30, which does not count as one of the two firings."""
    found = run_json("preview", *BERLIN, "-n", "2", "--from", "2027-03-27T02:30")

    assert found["zone"] == "Europe/Berlin"
    assert found["jitter_seconds"] == 0
    assert [each["at"] for each in found["coming"]] == [
        "2027-03-27T01:30:00+00:00",
        None,
        "2027-03-29T00:30:00+00:00",
    ]
    assert [each["local"][:16] for each in found["coming"]] == [
        "2027-03-27T02:30",
        "2027-03-28T02:30",
        "2027-03-29T02:30",
    ]
    assert [each["mark"] for each in found["coming"]] == ["", "skipped", ""]


def test_a_doubled_time_is_marked() -> None:
    """On 1 November 2026 New York has 01:30 twice."""
    when = ("--cron", "30 1 * * *", "--timezone", "America/New_York")

    found = run_json("preview", *when, "-n", "3", "--from", "2026-11-01")

    assert [(each["at"], each["mark"]) for each in found["coming"]] == [
        ("2026-11-01T05:30:00+00:00", "first of two"),
        ("2026-11-01T06:30:00+00:00", "second of two"),
        ("2026-11-02T06:30:00+00:00", ""),
    ]
    assert [each["local"] for each in found["coming"]] == [
        "2026-11-01T01:30:00-04:00",
        "2026-11-01T01:30:00-05:00",
        "2026-11-02T01:30:00-05:00",
    ]


def test_people_get_a_table() -> None:
    """It has the time in the zone, in UTC, and the mark."""
    code, output = run("preview", *BERLIN, "-n", "2", "--from", "2027-03-27")

    assert (code, output.splitlines()) == (
        0,
        [
            "in Europe/Berlin              in UTC",
            "Sat 2027-03-27 02:30:00+0100  2027-03-27 01:30:00",
            "Sun 2027-03-28 02:30:00       -                    skipped",
            "Mon 2027-03-29 02:30:00+0200  2027-03-29 00:30:00",
        ],
    )


def test_the_end_of_a_rule_is_shown() -> None:
    """The rule has fewer firings left than the twenty that are shown."""
    config = json.dumps({"cron": "0 9 * * *", "end_at": "2027-01-01T12:00:00+00:00", "jitter": "30s"})

    code, output = run("preview", "--config", config, "--from", "2027-01-01")

    assert code == 0
    assert "does not fire after that." in output
    assert "up to 30 s later" in output
    assert run("preview", "--config", config, "--from", "2028-01-01")[1].startswith("in UTC")


def test_a_config_with_at_is_a_one_time_rule() -> None:
    """Only SCHEDULE rules have `at`."""
    config = '{"at": "2027-05-01T09:00:00+02:00"}'

    found = run_json("preview", "--config", config, "--from", "2027-01-01")

    assert [each["at"] for each in found["coming"]] == ["2027-05-01T07:00:00+00:00"]


@pytest.mark.parametrize(
    "words",
    [
        ("preview",),
        ("preview", "7", "--cron", "0 9 * * *"),
        ("preview", "--config", "{}", "--cron", "0 9 * * *"),
        ("preview", "7", "--timezone", "UTC"),
        ("preview", "--config", "[]"),
        ("preview", "--config", "{"),
        ("preview", "--cron", "0 9 * * *", "--from", "tomorrow"),
        ("preview", "--cron", "0 9 * * *", "--from", "0001-01-01"),
        ("preview", "--cron", "0 9 * * *", "-n", "0"),
        ("preview", "seven"),
        ("validate", "7", "--config", "{}"),
        ("list", "--status", "BROKEN"),
        ("fire",),
        ("backfill", "7", "--from", "2027-01-01"),
        ("backfill", "7", "--from", "0001-01-01", "--to", "9999-12-31"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_refused(words: tuple[str, ...]) -> None:
    """The exit code is 2, and there is no traceback."""
    code, output = run(*words)

    assert code == 2
    assert "Error:" in output


def test_json_nested_too_deep_is_refused() -> None:
    """Python cannot read it."""
    code, output = run("validate", "--config", "[" * 100_000)

    assert (code, "is not a JSON object" in output) == (2, True)


def test_a_wrong_time_is_shown_with_what_to_write_instead() -> None:
    """The text is that of `rule_error`; the exit code is 1."""
    code, output = run("validate", "--config", '{"cron": "0 9 * * FRY"}')

    assert code == 1
    assert output.splitlines()[0].split() == ["RULE", "WHERE", "FAULT"]
    assert "cron" in output.splitlines()[1]
    assert output.endswith("1 checked, 1 with faults.\n")

    code, output = run("preview", "--cron", "0 9 * * FRY")
    assert (code, output.startswith("xnovu: rule: ")) == (1, True)


def test_a_warning_is_no_fault() -> None:
    """`validate` and `preview` print it; the rule fires as written."""
    odd = ("--cron", "*/45 * * * *")
    config = ("--config", '{"cron": "*/45 * * * *"}')
    code, output = run("validate", *config)
    assert code == 0
    assert output.splitlines()[0].split() == ["RULE", "WHERE", "WARNING"]
    assert output.endswith("1 checked, 0 with faults, 1 with warnings.\n")
    assert run_json("validate", *config)["warnings"] == [
        {"rule_id": None} | warning for warning in run_json("preview", *odd)["warnings"]
    ]
    assert run("preview", *odd)[1].splitlines()[-1].startswith("Warning: cron: minute: the step of 45 begins")


def test_faults_are_a_json_array() -> None:
    """It is empty if there are none."""
    code, output = run("validate", "--config", '{"cron": "0 9 * *"}', "--json")
    (fault,) = json.loads(output)["faults"]

    assert code == 1
    assert (fault["rule_id"], sorted(fault)) == (None, ["reason", "rule_id", "where"])
    assert run_json("validate", "--config", '{"cron": "@daily"}') == {
        "checked": 1,
        "faults": [],
        "warnings": [],
    }


@pytest.mark.parametrize(
    "words",
    [
        ("list",),
        ("show", "7"),
        ("preview", "7"),
        ("validate",),
        ("fire", "7"),
        ("pause", "7"),
        ("resume", "7"),
        ("backfill", "7", "--from", "2027-01-01", "--to", "2027-01-02"),
    ],
    ids=" ".join,
)
def test_a_missing_setting_is_named(words: tuple[str, ...]) -> None:
    """Only DATABASE_URL is required: Temporal's settings have defaults, and Novu's key is not needed."""
    assert run(*words) == (
        2,
        "xnovu: settings:\n  DATABASE_URL: is not set; write postgresql://user:password@host:5432/database, or copy the line that `xnovu dev` prints\n",
    )


def test_a_wrong_setting_of_temporal_is_named_where_temporal_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The setting is checked before any connection."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", "temporal")

    code, output = run("fire", "7")

    assert code == 2
    assert "TEMPORAL_ADDRESS: must have the form host:port" in output
    assert "TEMPORAL_ADDRESS" not in run("pause", "7")[1]


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(minutes=1), "1 minute"),
        (timedelta(hours=2), "2 hours"),
        (timedelta(days=1), "1 day"),
        (timedelta(seconds=90), "90 s"),
        (timedelta(0), "0 s"),
    ],
    ids=str,
)
def test_a_duration_is_shown_in_its_largest_unit(length: timedelta, words: str) -> None:
    """The unit must divide the duration."""
    assert format_duration(length) == words


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"cron": "0 9 * * *", "timezone": "Asia/Shanghai"}, "0 9 * * * Asia/Shanghai"),
        ({"interval": {"every": "90m"}}, '{"every": "90m"}'),
        ({"at": "2027-05-01T09:00:00+02:00"}, "2027-05-01T09:00:00+02:00"),
        ({}, ""),
    ],
    ids=str,
)
def test_times_are_shown_as_the_row_has_them(config: dict[str, Any], words: str) -> None:
    """Other keys are left out."""
    assert format_config(config) == words
