"""`xnovu rules`: what needs no server, and what is refused before any is asked."""

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
from xnovu_poller.cli.rules.output import plain, span, times

HANDBOOK = (Path(__file__).parents[3] / "docs" / "rules.md").read_text(encoding="utf-8")
BERLIN = ("--cron", "30 2 * * *", "--timezone", "Europe/Berlin")


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every setting of ours out of the environment."""
    for row in settings.table():
        monkeypatch.delenv(row.variable, raising=False)


def run(*words: str) -> tuple[int, str]:
    """Run a command within this process; give its exit code and all that it prints."""
    ended = CliRunner().invoke(xnovu, ["rules", *words])
    return ended.exit_code, ended.output


def told(*words: str) -> Any:  # noqa: ANN401 - JSON
    """Give what a command tells programs."""
    code, output = run(*words, "--json")
    assert code == 0, output
    return json.loads(output)


def examples() -> Iterator[tuple[str, str]]:
    """Give each key of a trigger_config with each example that the handbook has of it."""
    told = HANDBOOK.partition("## When it fires")[2].partition("\n## ")[0]
    for line in told.splitlines():
        if line.startswith("| `"):
            key, *_, shown = line.strip("| ").split(" | ")
            for example in re.findall(r"`([^`]+)`", shown):
                yield key.strip("`"), example


@pytest.mark.parametrize(("key", "example"), [*examples()])
def test_each_example_of_the_handbook_holds(key: str, example: str) -> None:
    """By itself, or beside a cron expression; a time without an offset beside a zone."""
    config = {key: json.loads(example)}
    if key in {"timezone", "jitter", "start_at", "end_at", "overlap", "catchup"}:
        config["cron"] = "0 9 * * *"

    assert run("validate", "--config", json.dumps({"timezone": "Asia/Shanghai"} | config))[0] == 0


def test_there_are_examples() -> None:
    """A table that is not found would hold for ever."""
    assert len([*examples()]) > 10


def test_a_skipped_time_is_marked() -> None:
    """On 28 March 2027 Berlin has no 02:30; it does not count as one of the two."""
    found = told("preview", *BERLIN, "-n", "2", "--from", "2027-03-27T02:30")

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

    found = told("preview", *when, "-n", "3", "--from", "2026-11-01")

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
    """The zone's time, UTC, and the mark."""
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


def test_an_end_is_told() -> None:
    """A rule that fires once more has no twenty times."""
    config = json.dumps({"cron": "0 9 * * *", "end_at": "2027-01-01T12:00:00+00:00", "jitter": "30s"})

    code, output = run("preview", "--config", config, "--from", "2027-01-01")

    assert code == 0
    assert "No time after that." in output
    assert "up to 30 s later" in output
    assert run("preview", "--config", config, "--from", "2028-01-01")[1].startswith("in UTC")


def test_a_time_to_come_is_of_a_one_time_rule() -> None:
    """A trigger_config with `at` is one of a SCHEDULE rule."""
    config = '{"at": "2027-05-01T09:00:00+02:00"}'

    found = told("preview", "--config", config, "--from", "2027-01-01")

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
def test_what_was_typed_wrong_is_told(words: tuple[str, ...]) -> None:
    """Exit code 2, and no traceback."""
    code, output = run(*words)

    assert code == 2
    assert "Error:" in output


def test_json_beyond_all_depth_is_no_object() -> None:
    """Python gives up before it has read it."""
    code, output = run("validate", "--config", "[" * 100_000)

    assert (code, "is no JSON object" in output) == (2, True)


def test_a_fault_of_times_is_told_with_what_to_write_instead() -> None:
    """As the row would tell it; exit code 1."""
    code, output = run("validate", "--config", '{"cron": "0 9 * * FRY"}')

    assert code == 1
    assert output.splitlines()[0].split() == ["RULE", "WHERE", "FAULT"]
    assert "cron" in output.splitlines()[1]
    assert output.endswith("1 checked, 1 with faults.\n")

    code, output = run("preview", "--cron", "0 9 * * FRY")
    assert (code, output.startswith("xnovu: rule: ")) == (1, True)


def test_faults_for_programs() -> None:
    """An array of objects, empty if there are none."""
    code, output = run("validate", "--config", '{"cron": "0 9 * *"}', "--json")
    (fault,) = json.loads(output)["faults"]

    assert code == 1
    assert (fault["rule_id"], sorted(fault)) == (None, ["reason", "rule_id", "where"])
    assert told("validate", "--config", '{"cron": "@daily"}') == {"checked": 1, "faults": []}


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
    """The database's alone: Temporal's have defaults, and Novu's key is not asked for."""
    assert run(*words) == (2, "xnovu: settings:\n  DATABASE_URL: is not set\n")


def test_a_wrong_setting_of_temporal_is_named_where_temporal_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before anything is connected to."""
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
def test_a_span_is_told_in_its_largest_unit(length: timedelta, words: str) -> None:
    """As one would say it."""
    assert span(length) == words


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
def test_times_are_told_as_the_row_says_them(config: dict[str, Any], words: str) -> None:
    """Whatever a row may hold."""
    assert times(config) == words


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("逃生演習, Übung", "逃生演習, Übung"),
        ("a\n7\tb", "a\\n7\\tb"),
        ("\x1b[2J\x9b31m", "\\u001b[2J\\u009b31m"),
        ("to \u202eevil", "to \\u202eevil"),
        ("x" * 3000, "x" * 1000 + "…"),
    ],
    ids=ascii,
)
def test_what_a_tenant_wrote_only_shows(text: str, shown: str) -> None:
    """On a line, cut, and without orders to the operator's terminal."""
    assert plain(text) == shown
