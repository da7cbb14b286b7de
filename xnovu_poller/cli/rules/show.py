"""`xnovu rules list` and `show`: print the rows of rules and their schedules in Temporal."""

import asyncio
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from xnovu_poller.cli.connect import database
from xnovu_poller.cli.output import NOTHING, escape_for_terminal, json_option, print_json, print_table
from xnovu_poller.cli.rules.output import (
    find_next_at,
    find_timing,
    format_config,
    format_duration,
    format_iso,
    format_time,
    rule_to_json,
)
from xnovu_poller.cli.rules.rule import RULE_ID, read_rule
from xnovu_poller.lifecycle import RuleStatus
from xnovu_poller.store import rules
from xnovu_poller.store.rules import Rule

if TYPE_CHECKING:
    from xnovu_poller.temporal.rules.schedules import RuleScheduleState

UNSEEN = "UNSEEN"
"""The state of a rule that no reconciliation has read yet."""


@click.command("list")
@click.option("--enterprise", help="List only the rules of this enterprise.")
@click.option(
    "--status",
    type=click.Choice([*RuleStatus, UNSEEN], case_sensitive=False),
    help="List only the rules in this state. UNSEEN: no worker has read the rule yet.",
)
@json_option
def list_(enterprise: str | None, status: str | None, *, as_json: bool) -> None:
    """List rules with their state.

    Each line shows when the rule fires and how its last firing ended. NEXT is in the rule's zone and comes from the row
    only; `xnovu rules show ID` asks Temporal, too.
    """
    found = [
        rule
        for rule in asyncio.run(_read_all())
        if enterprise in {None, rule.enterprise_id} and status in {None, _format_state(rule)}
    ]
    now = datetime.now(UTC)
    if as_json:
        print_json([rule_to_json(rule, now) for rule in found])
        return
    print_table(
        ("ID", "ENTERPRISE", "NAME", "TRIGGER", "TIMES", "STATUS", "NEXT", "LAST", "OUTCOME"),
        [_build_row(rule, now) for rule in found],
    )


async def _read_all() -> list[Rule]:
    async with database() as engine:
        return await rules.read_all(engine)


def _build_row(rule: Rule, now: datetime) -> tuple[str, ...]:
    return (
        str(rule.id),
        rule.enterprise_id,
        rule.name,
        rule.trigger,
        format_config(rule.config),
        _format_state(rule),
        format_time(find_next_at(rule, now)),
        format_time(rule.last_fired_at),
        rule.last_outcome or NOTHING,
    )


def _format_state(rule: Rule) -> str:
    return rule.status or UNSEEN


@click.command
@click.argument("rule_id", metavar="ID", type=RULE_ID)
@json_option
def show(rule_id: int, *, as_json: bool) -> None:
    """Show everything about a rule.

    The output has its row, the meaning of its times, its last firing, and the state of its schedule in Temporal.
    """
    rule, schedule = asyncio.run(_read(rule_id))
    now = datetime.now(UTC)
    if as_json:
        print_json(
            rule_to_json(rule, now)
            | {"timing": _timing_to_json(rule), "schedule": _schedule_to_json(schedule)}
        )
        return
    for name, value in (*_build_rule_lines(rule, now), *_build_schedule_lines(schedule)):
        click.echo(f"{name:<14}{escape_for_terminal(value)}")


async def _read(rule_id: int) -> "tuple[Rule, RuleScheduleState | None]":
    # Temporal's SDK takes long to load, and most commands do without it.
    from xnovu_poller.cli.connect_temporal import database_and_temporal  # noqa: PLC0415

    async with database_and_temporal() as connected:
        return await read_rule(connected.engine, rule_id), await connected.schedules.describe(rule_id)


def _build_rule_lines(rule: Rule, now: datetime) -> list[tuple[str, str]]:
    timing = find_timing(rule)
    lines = [
        ("rule", f"{rule.id}, {rule.name}"),
        ("enterprise", rule.enterprise_id),
        ("workflow", f"row {rule.workflow_id}"),
        ("trigger", f"{rule.trigger} {json.dumps(rule.config, ensure_ascii=False)}"),
        ("active", "yes" if rule.active else "no: deactivated or not PUBLISH"),
        ("status", _format_state(rule) + (f": {rule.error}" if rule.error else "")),
        ("last fired", f"{format_time(rule.last_fired_at)} {rule.last_outcome or ''}".rstrip()),
    ]
    if timing is not None:
        lines += [
            ("zone", timing.shown_in),
            ("between", f"{format_time(timing.start_at)} and {format_time(timing.end_at)}"),
            ("jitter", format_duration(timing.jitter)),
            ("catch-up", format_duration(timing.catchup)),
            ("overlap", timing.overlap),
            ("next", format_time(find_next_at(rule, now))),
        ]
    return lines


def _build_schedule_lines(schedule: "RuleScheduleState | None") -> list[tuple[str, str]]:
    if schedule is None:
        return [("in Temporal", "no schedule")]
    return [
        ("in Temporal", "its schedule is paused" if schedule.paused else "its schedule is running"),
        ("  next", ", ".join(format_time(at) for at in schedule.next_at) or NOTHING),
        ("  last", format_time(schedule.last_at)),
        ("  fired", f"{schedule.fired} times; {schedule.missed} too late, {schedule.skipped} skipped"),
    ]


def _timing_to_json(rule: Rule) -> dict[str, Any] | None:
    timing = find_timing(rule)
    if timing is None:
        return None
    return {
        "zone": timing.shown_in,
        "start_at": format_iso(timing.start_at),
        "end_at": format_iso(timing.end_at),
        "jitter_seconds": timing.jitter.total_seconds(),
        "catchup_seconds": timing.catchup.total_seconds(),
        "overlap": timing.overlap,
    }


def _schedule_to_json(schedule: "RuleScheduleState | None") -> dict[str, Any] | None:
    if schedule is None:
        return None
    return {
        "paused": schedule.paused,
        "next_at": [format_iso(at) for at in schedule.next_at],
        "last_at": format_iso(schedule.last_at),
        "fired": schedule.fired,
        "missed": schedule.missed,
        "skipped": schedule.skipped,
    }
