"""`xnovu rules preview`: print when a rule will fire, including clock changes."""

import asyncio
import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import click

from xnovu_poller.cli.connect import database
from xnovu_poller.cli.output import NOTHING, json_option, print_json, print_table
from xnovu_poller.cli.rules.output import format_duration, preview_to_json
from xnovu_poller.cli.rules.rule import RULE_ID, build_error, read_rule
from xnovu_poller.errors import RuleInvalid
from xnovu_poller.lifecycle import RuleTrigger
from xnovu_poller.rules.advice import advise
from xnovu_poller.rules.preview import PreviewTime, list_next
from xnovu_poller.rules.spec import FIRST_YEAR, LAST_YEAR
from xnovu_poller.rules.timing import Timing, read_timing

MOST_SHOWN = 10_000


def parse_time(value: str) -> datetime:
    """Read an ISO 8601 time; one without an offset is naive and meant in the rule's zone."""
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is not a time; write 2027-03-28, 2027-03-28T02:30 or 2027-03-28T02:30+02:00"
        ) from None
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise click.BadParameter(f"{value!r} is out of bounds; write a year from {FIRST_YEAR} to {LAST_YEAR}")
    return at


def add_zone(time: datetime, zone: str) -> datetime:
    """Return an aware time; a naive time is meant in the zone."""
    return time if time.tzinfo else time.replace(tzinfo=ZoneInfo(zone))


def parse_config(value: str) -> dict[str, Any]:
    """Read a trigger_config."""
    try:
        config = json.loads(value)
    except (ValueError, RecursionError):
        config = None
    if not isinstance(config, dict):
        raise click.BadParameter('is not a JSON object; write for example {"cron": "0 9 * * *"}')
    return config


def guess_trigger(config: dict[str, Any]) -> RuleTrigger:
    """Return the trigger_type that a trigger_config is for: only SCHEDULE rules have `at`."""
    return RuleTrigger.SCHEDULE if "at" in config else RuleTrigger.CRON


@click.command
@click.argument("rule_id", metavar="[ID]", required=False, type=RULE_ID)
@click.option("--cron", help="Preview this expression: five fields, or six with the seconds first.")
@click.option("--timezone", help="The zone of --cron, such as Europe/Berlin.  [default: UTC]")
@click.option("--config", type=parse_config, metavar="JSON", help="Preview this trigger_config.")
@click.option(
    "-n",
    "count",
    type=click.IntRange(1, MOST_SHOWN),
    default=20,
    show_default=True,
    help="How many firings to show.",
)
@click.option(
    "--from", "start", type=parse_time, metavar="TIME", help="Show the times from here on.  [default: now]"
)
@json_option
def preview(  # noqa: PLR0913 - each is an option of the command
    rule_id: int | None,
    cron: str | None,
    timezone: str | None,
    config: dict[str, Any] | None,
    count: int,
    start: datetime | None,
    *,
    as_json: bool,
) -> None:
    """Print the next times of a rule.

    Give the ID of a rule, or --cron or --config to try times that are not in the table. The times are shown in the
    rule's zone and in UTC. They are those at which Temporal fires, before jitter. Marks show what a clock change does.
    `skipped`: the time does not exist that day, so the rule does not fire. `first of two` and `second of two`: the time
    occurs twice. `passed over` and `moved`: Temporal does not fire at the rule's time, or fires at another time.

    \b
    Examples:
        xnovu rules preview 7
        xnovu rules preview --cron '30 2 * * *' --timezone Europe/Berlin --from 2027-03-26 -n 5
        xnovu rules preview --config '{"interval": {"every": "90m"}}'
    """  # noqa: D301 - Click reads the backspace as "do not wrap this paragraph"
    trigger, config = _choose_config(rule_id, cron, timezone, config)
    timing, advice = read_timing(trigger, config), advise(trigger, config)
    # `list_next` returns later times, and --from is included.
    after = (
        datetime.now(UTC) if start is None else add_zone(start, timing.shown_in) - timedelta(microseconds=1)
    )
    times = list_next(timing, after, count)
    if as_json:
        print_json(
            {
                "zone": timing.shown_in,
                "jitter_seconds": timing.jitter.total_seconds(),
                "coming": [preview_to_json(time) for time in times],
                "warnings": [asdict(each) for each in advice],
            }
        )
        return
    _print_times(timing, times, count)
    for each in advice:
        click.echo(f"Warning: {each.where}: {each.reason}.")


def _choose_config(
    rule_id: int | None, cron: str | None, timezone: str | None, config: dict[str, Any] | None
) -> tuple[RuleTrigger, dict[str, Any]]:
    """Return the times of the only argument that was given: ID, --cron or --config."""
    if sum(given is not None for given in (rule_id, cron, config)) != 1:
        raise click.UsageError("give exactly one of ID, --cron and --config")
    if timezone is not None and cron is None:
        raise click.UsageError("--timezone is for --cron; a rule and --config have their own")
    if rule_id is not None:
        return asyncio.run(_read_config(rule_id))
    if config is None:
        config = {"cron": cron} | ({"timezone": timezone} if timezone else {})
    return guess_trigger(config), config


async def _read_config(rule_id: int) -> tuple[RuleTrigger, dict[str, Any]]:
    async with database() as engine:
        rule = await read_rule(engine, rule_id)
    try:
        read_timing(rule.trigger, rule.config)
    except RuleInvalid as error:
        raise build_error(rule_id, f"{error.path}: {error.reason}") from None
    return rule.trigger, rule.config


def _print_times(timing: Timing, times: list[PreviewTime], count: int) -> None:
    print_table(
        (f"in {timing.shown_in}", "in UTC", ""),
        [
            (
                f"{time.local:%a %Y-%m-%d %H:%M:%S}" + (f"{time.local:%z}" if time.at else ""),
                NOTHING if time.at is None else f"{time.at:%Y-%m-%d %H:%M:%S}",
                str(time.mark),
            )
            for time in times
        ],
    )
    if sum(time.at is not None for time in times) < count:
        click.echo("The rule does not fire after that." if times else "The rule does not fire any more.")
    if timing.jitter:
        click.echo(f"Each firing comes up to {format_duration(timing.jitter)} later (jitter).")
