"""Rules as the commands print them."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from xnovu_poller.cli.output import NOTHING
from xnovu_poller.errors import RuleInvalid
from xnovu_poller.lifecycle import RuleStatus
from xnovu_poller.rules.preview import PreviewTime, find_next_firing
from xnovu_poller.rules.timing import Timing, read_timing
from xnovu_poller.store.rules import Rule


def find_timing(rule: Rule) -> Timing | None:
    """Return when a rule fires; None if its row is invalid, which `rule_error` and `validate` explain."""
    try:
        return read_timing(rule.trigger, rule.config)
    except RuleInvalid:
        return None


def find_next_at(rule: Rule, now: datetime) -> datetime | None:
    """Return when a rule fires next, in its zone; None if it does not, according to its row."""
    timing = find_timing(rule)
    if timing is None or not rule.active or rule.status in {RuleStatus.DONE, RuleStatus.FAILED}:
        return None
    at = find_next_firing(timing, now)
    return None if at is None else at.astimezone(ZoneInfo(timing.shown_in))


def rule_to_json(rule: Rule, now: datetime) -> dict[str, Any]:
    """Return a rule as `list --json` and `show --json` print it."""
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
        "next_at": format_iso(find_next_at(rule, now)),
        "last_fired_at": format_iso(rule.last_fired_at),
        "last_outcome": rule.last_outcome,
        "done_for": format_iso(rule.done_for),
    }


def preview_to_json(time: PreviewTime) -> dict[str, Any]:
    """Return a time as `preview --json` prints it."""
    return {"at": format_iso(time.at), "local": format_iso(time.local), "mark": str(time.mark)}


def format_config(config: Mapping[str, Any]) -> str:
    """Return on one line when a rule fires, as its row has it."""
    keys = ("cron", "calendar", "interval", "at", "timezone")
    values = [config[key] for key in keys if key in config]
    return " ".join(value if isinstance(value, str) else json.dumps(value) for value in values)


def format_iso(at: datetime | None) -> str | None:
    """Return a time in ISO 8601, with its offset."""
    return None if at is None else at.isoformat()


def format_time(at: datetime | None) -> str:
    """Return a time for a table or a sentence."""
    return NOTHING if at is None else at.isoformat(" ", "seconds")


def format_duration(length: timedelta) -> str:
    """Return a duration in the largest unit that divides it."""
    seconds = int(length.total_seconds())
    for unit, size in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= size and seconds % size == 0:
            count = seconds // size
            return f"{count} {unit if count > 1 else unit[:-1]}"
    return f"{length.total_seconds():g} s"
