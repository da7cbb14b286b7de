"""How rules are told: a table for people, JSON for programs."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import click

from xnovu_poller.errors import RuleInvalid
from xnovu_poller.lifecycle import RuleStatus
from xnovu_poller.rules.preview import PreviewTime, find_next_firing
from xnovu_poller.rules.timing import Timing, read_timing
from xnovu_poller.store.rules import Rule

NOTHING = "-"

CELL, SENTENCE = 60, 1000
"""The longest that is shown in a table, and in a line of its own; JSON tells all."""


def put_json(told: object) -> None:
    """Print JSON, its keys in the order of the handbook."""
    click.echo(_printable(json.dumps(told, indent=2, ensure_ascii=False), "\n"))


def put_table(head: Sequence[str], lines: Sequence[Sequence[str]], widest: int = CELL) -> None:
    """Print lines under a head, in columns as wide as their widest; what is wider is cut."""
    shown = [head, *([plain(cell, widest) for cell in line] for line in lines)]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    for line in shown:
        click.echo("  ".join(map(str.ljust, line, widths)).rstrip())


def plain(text: str, most: int = SENTENCE) -> str:
    """Give what a tenant may have written so that it only shows in an operator's terminal: on a line, and cut."""
    return _printable(text if len(text) <= most else f"{text[:most]}…")


def _printable(text: str, kept: str = "") -> str:
    """Spell what does not print as JSON does, so that JSON stays what it is."""
    return "".join(each if each.isprintable() or each in kept else json.dumps(each)[1:-1] for each in text)


def timing_of(rule: Rule) -> Timing | None:
    """Read when a rule fires; None where that cannot be read, which `rule_error` and `validate` tell."""
    try:
        return read_timing(rule.trigger, rule.config)
    except RuleInvalid:
        return None


def next_of(rule: Rule, now: datetime) -> datetime | None:
    """Give the next time that a rule fires, in its zone; None if it does not, as far as its row tells."""
    when = timing_of(rule)
    if when is None or not rule.active or rule.status in {RuleStatus.DONE, RuleStatus.FAILED}:
        return None
    at = find_next_firing(when, now)
    return None if at is None else at.astimezone(ZoneInfo(when.shown_in))


def row_json(rule: Rule, now: datetime) -> dict[str, Any]:
    """Give a rule as `list --json` and `show --json` tell it."""
    return {
        "id": rule.id,
        "enterprise_id": rule.enterprise_id,
        "name": rule.name,
        "workflow_id": rule.workflow_id,
        "trigger_type": rule.trigger,
        "trigger_config": rule.config,
        "active": rule.active,
        "status": rule.status,
        "error": rule.error,
        "next_at": iso(next_of(rule, now)),
        "last_fired_at": iso(rule.last_fired_at),
        "last_outcome": rule.last_outcome,
        "done_for": iso(rule.done_for),
    }


def times(config: Mapping[str, Any]) -> str:
    """Say in a line when a rule fires, as its row says it."""
    said_of = {
        key: config[key] for key in ("cron", "calendar", "interval", "at", "timezone") if key in config
    }
    return " ".join(each if isinstance(each, str) else json.dumps(each) for each in said_of.values())


def coming_json(each: PreviewTime) -> dict[str, Any]:
    """Give a time that comes, or that is left out, as `preview --json` tells it."""
    return {"at": iso(each.at), "local": iso(each.local), "mark": str(each.mark)}


def iso(at: datetime | None) -> str | None:
    """Give a time in ISO 8601, with its offset."""
    return None if at is None else at.isoformat()


def said(at: datetime | None) -> str:
    """Give a time as a table tells it."""
    return NOTHING if at is None else at.isoformat(" ", "seconds")


def span(length: timedelta) -> str:
    """Give a span as a sentence tells it: in the largest unit that divides it."""
    seconds = int(length.total_seconds())
    for unit, size in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= size and seconds % size == 0:
            count = seconds // size
            return f"{count} {unit if count > 1 else unit[:-1]}"
    return f"{length.total_seconds():g} s"
