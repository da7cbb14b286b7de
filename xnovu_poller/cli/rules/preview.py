"""`xnovu rules preview`: when a rule will fire, over the changes of the clock."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import click

from xnovu_poller.cli.connect import database
from xnovu_poller.cli.rules.output import NOTHING, coming_json, put_json, put_table, span
from xnovu_poller.cli.rules.rule import RULE_ID, json_option, read_rule
from xnovu_poller.errors import RuleInvalid
from xnovu_poller.lifecycle import RuleTrigger
from xnovu_poller.rules.preview import PreviewTime, list_next
from xnovu_poller.rules.spec import FIRST_YEAR, LAST_YEAR
from xnovu_poller.rules.timing import Timing, read_timing

MOST_SHOWN = 10_000


def moment(value: str) -> datetime:
    """Read a time as ISO 8601 writes it; without an offset it is meant in the rule's zone."""
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is no time; write 2027-03-28, 2027-03-28T02:30 or 2027-03-28T02:30+02:00"
        ) from None
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise click.BadParameter(f"write a year from {FIRST_YEAR} to {LAST_YEAR}")
    return at


def in_zone(moment: datetime, zone: str) -> datetime:
    """Give the time that is meant, with an offset."""
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))


def trigger_config(value: str) -> dict[str, Any]:
    """Read a trigger_config."""
    try:
        config = json.loads(value)
    except (ValueError, RecursionError):
        config = None
    if not isinstance(config, dict):
        raise click.BadParameter('is no JSON object; write for example {"cron": "0 9 * * *"}')
    return config


def trigger_of(config: dict[str, Any]) -> RuleTrigger:
    """Tell which kind of rule a trigger_config is for: `at` is of SCHEDULE rules alone."""
    return RuleTrigger.SCHEDULE if "at" in config else RuleTrigger.CRON


@click.command
@click.argument("rule_id", metavar="[ID]", required=False, type=RULE_ID)
@click.option("--cron", help="Times of no rule yet: five fields, or six with the seconds first.")
@click.option("--timezone", help="The zone of --cron, such as Europe/Berlin.  [default: UTC]")
@click.option("--config", type=trigger_config, metavar="JSON", help="A whole trigger_config of no rule yet.")
@click.option(
    "-n",
    "count",
    type=click.IntRange(1, MOST_SHOWN),
    default=20,
    show_default=True,
    help="How many times to show.",
)
@click.option(
    "--from", "start", type=moment, metavar="TIME", help="Show what comes from then on.  [default: now]"
)
@json_option
def preview(  # noqa: PLR0913 - what one may say of times, each named
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

    They are those at which rule ID fires, in its zone and in UTC. What is printed is what Temporal does,
    before jitter. Where the clocks change, a mark says so: `skipped`, the rule names this time and it does
    not exist that day; `first of two` and `second of two`, it comes twice; `passed over` and `moved`,
    Temporal does not keep to it.

    \b
    Examples:
        xnovu rules preview 7
        xnovu rules preview --cron '30 2 * * *' --timezone Europe/Berlin --from 2027-03-26 -n 5
        xnovu rules preview --config '{"interval": {"every": "90m"}}'
    """  # noqa: D301 - Click takes the backspace for "leave this paragraph as it is"
    when = _asked(rule_id, cron, timezone, config)
    # A time asked for is one of those that come; `coming` tells what lies after.
    after = datetime.now(UTC) if start is None else in_zone(start, when.shown_in) - timedelta(microseconds=1)
    found = list_next(when, after, count)
    if as_json:
        put_json(
            {
                "zone": when.shown_in,
                "jitter_seconds": when.jitter.total_seconds(),
                "coming": [coming_json(each) for each in found],
            }
        )
        return
    _put(when, found, count)


def _asked(
    rule_id: int | None, cron: str | None, timezone: str | None, config: dict[str, Any] | None
) -> Timing:
    """Give the times of whichever was named, and of one thing alone."""
    if sum(named is not None for named in (rule_id, cron, config)) != 1:
        raise click.UsageError("name one of ID, --cron and --config")
    if timezone is not None and cron is None:
        raise click.UsageError("--timezone goes with --cron; the others have their own")
    if rule_id is not None:
        return asyncio.run(_timing_of(rule_id))
    given = config if config is not None else {"cron": cron} | ({"timezone": timezone} if timezone else {})
    return read_timing(trigger_of(given), given)


async def _timing_of(rule_id: int) -> Timing:
    async with database() as engine:
        found = await read_rule(engine, rule_id)
    try:
        return read_timing(found.trigger, found.config)
    except RuleInvalid as error:
        raise click.ClickException(f"rule {rule_id}: {error.path}: {error.reason}") from None


def _put(when: Timing, found: list[PreviewTime], count: int) -> None:
    put_table(
        (f"in {when.shown_in}", "in UTC", ""),
        [
            (
                f"{each.local:%a %Y-%m-%d %H:%M:%S}" + (f"{each.local:%z}" if each.at else ""),
                NOTHING if each.at is None else f"{each.at:%Y-%m-%d %H:%M:%S}",
                str(each.mark),
            )
            for each in found
        ],
    )
    if sum(each.at is not None for each in found) < count:
        click.echo("No time after that." if found else "No time lies ahead.")
    if when.jitter:
        click.echo(f"Each fires up to {span(when.jitter)} later (jitter).")
