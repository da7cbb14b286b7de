"""`xnovu rules list` and `show`: what the rows say, and what Temporal's schedules say."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import click

from xnovu_poller.cli.connect import database, database_and_temporal
from xnovu_poller.cli.rules.output import (
    NOTHING,
    iso,
    next_of,
    plain,
    put_json,
    put_table,
    row_json,
    said,
    span,
    times,
    timing_of,
)
from xnovu_poller.cli.rules.rule import RULE_ID, json_option, read_rule
from xnovu_poller.lifecycle import RuleStatus
from xnovu_poller.store import rules
from xnovu_poller.store.rules import Rule
from xnovu_poller.temporal.rules.schedules import Described

UNSEEN = "UNSEEN"
"""A rule that no comparison has met yet."""


@click.command("list")
@click.option("--enterprise", help="Only the rules of this enterprise.")
@click.option(
    "--status",
    type=click.Choice([*RuleStatus, UNSEEN], case_sensitive=False),
    help="Only the rules in this state; UNSEEN: not compared with Temporal yet.",
)
@json_option
def list_(enterprise: str | None, status: str | None, *, as_json: bool) -> None:
    """List the rules, and where each stands.

    A line tells when the rule fires, and how the last firing went. What is next is told in the rule's zone,
    from the row alone; `xnovu rules show ID` asks Temporal too.
    """
    found = [
        each
        for each in asyncio.run(_all())
        if enterprise in {None, each.enterprise_id} and status in {None, _state(each)}
    ]
    now = datetime.now(UTC)
    if as_json:
        put_json([row_json(each, now) for each in found])
        return
    put_table(
        ("ID", "ENTERPRISE", "NAME", "TRIGGER", "TIMES", "STATUS", "NEXT", "LAST", "OUTCOME"),
        [_line(each, now) for each in found],
    )


async def _all() -> list[Rule]:
    async with database() as engine:
        return await rules.read_all(engine)


def _line(each: Rule, now: datetime) -> tuple[str, ...]:
    return (
        str(each.id),
        each.enterprise_id,
        each.name,
        each.trigger,
        times(each.config),
        _state(each),
        said(next_of(each, now)),
        said(each.last_fired_at),
        each.last_outcome or NOTHING,
    )


def _state(each: Rule) -> str:
    return each.status or UNSEEN


@click.command
@click.argument("rule_id", metavar="ID", type=RULE_ID)
@json_option
def show(rule_id: int, *, as_json: bool) -> None:
    """Show all that is known of rule ID.

    That is its row, what its times mean, how it last fired, and what Temporal's schedule says.
    """
    found, schedule = asyncio.run(_both(rule_id))
    now = datetime.now(UTC)
    if as_json:
        put_json(row_json(found, now) | {"timing": _timing_json(found), "schedule": _schedule_json(schedule)})
        return
    for name, told in (*_row_lines(found, now), *_schedule_lines(schedule)):
        click.echo(f"{name:<14}{plain(told)}")


async def _both(rule_id: int) -> tuple[Rule, Described | None]:
    async with database_and_temporal() as connected:
        return await read_rule(connected.engine, rule_id), await connected.schedules.describe(rule_id)


def _row_lines(found: Rule, now: datetime) -> list[tuple[str, str]]:
    when = timing_of(found)
    lines = [
        ("rule", f"{found.id}, {found.name}"),
        ("enterprise", found.enterprise_id),
        ("workflow", f"row {found.workflow_id}"),
        ("trigger", f"{found.trigger} {json.dumps(found.config, ensure_ascii=False)}"),
        ("active", "yes" if found.active else "no: deactivated or not PUBLISH"),
        ("status", _state(found) + (f": {found.error}" if found.error else "")),
        ("last fired", f"{said(found.last_fired_at)} {found.last_outcome or ''}".rstrip()),
    ]
    if when is not None:
        lines += [
            ("zone", when.shown_in),
            ("between", f"{said(when.start_at)} and {said(when.end_at)}"),
            ("jitter", span(when.jitter)),
            ("catch-up", span(when.catchup)),
            ("overlap", when.overlap),
            ("next", said(next_of(found, now))),
        ]
    return lines


def _schedule_lines(schedule: Described | None) -> list[tuple[str, str]]:
    if schedule is None:
        return [("in Temporal", "no schedule")]
    return [
        ("in Temporal", "its schedule stands still" if schedule.paused else "its schedule runs"),
        ("  next", ", ".join(said(at) for at in schedule.next_at) or NOTHING),
        ("  last", said(schedule.last_at)),
        ("  fired", f"{schedule.fired} times; too late for {schedule.missed}, skipped {schedule.skipped}"),
    ]


def _timing_json(found: Rule) -> dict[str, Any] | None:
    when = timing_of(found)
    if when is None:
        return None
    return {
        "zone": when.shown_in,
        "start_at": iso(when.start_at),
        "end_at": iso(when.end_at),
        "jitter_seconds": when.jitter.total_seconds(),
        "catchup_seconds": when.catchup.total_seconds(),
        "overlap": when.overlap,
    }


def _schedule_json(schedule: Described | None) -> dict[str, Any] | None:
    if schedule is None:
        return None
    return {
        "paused": schedule.paused,
        "next_at": [iso(at) for at in schedule.next_at],
        "last_at": iso(schedule.last_at),
        "fired": schedule.fired,
        "missed": schedule.missed,
        "skipped": schedule.skipped,
    }
