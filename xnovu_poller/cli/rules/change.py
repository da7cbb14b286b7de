"""`xnovu rules fire`, `pause`, `resume` and `backfill`: change a rule, or fire it."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import click

from xnovu_poller.cli.connect import database
from xnovu_poller.cli.output import json_option, print_json
from xnovu_poller.cli.rules.output import format_iso, format_time
from xnovu_poller.cli.rules.preview import add_zone, parse_time
from xnovu_poller.cli.rules.rule import RULE_ID, build_error, read_rule
from xnovu_poller.errors import RuleInvalid, ScheduleMissing
from xnovu_poller.lifecycle import FireOutcome, RuleTrigger
from xnovu_poller.rules.preview import list_next
from xnovu_poller.rules.timing import Overlap, Timing, read_timing
from xnovu_poller.store import rules
from xnovu_poller.store.firing import find_made
from xnovu_poller.store.rules import Rule

MOST_UNFORCED = 1000
"""The most firings of a backfill without --force."""

WAIT_SECONDS = 30
"""How long `fire` waits for the outcome."""

_REASONS = {
    FireOutcome.CREATED: "its notification has been deleted since",
    FireOutcome.INACTIVE: "it is deactivated or not PUBLISH",
    FireOutcome.NO_RECIPIENTS: "its rule_payload has no recipients",
    FireOutcome.REFUSED: "the table refuses its notification; insert one like it to read why",
    FireOutcome.GONE: "its row has been deleted since",
    FireOutcome.REPEATED: "the same firing had already made it",
}


@dataclass(frozen=True, slots=True)
class Firing:
    """A firing that a person has requested; outcome and notification are None until they are known."""

    run_id: str
    outcome: FireOutcome | None = None
    notification_id: int | None = None


@click.command
@click.argument("rule_id", metavar="ID", type=RULE_ID)
@json_option
def pause(rule_id: int, *, as_json: bool) -> None:
    """Pause a rule.

    The command sets `deactivated` in its row. A worker then pauses its schedule: at once if wake-ups are on, otherwise
    with the next run of the chores. A firing before that makes no notification, because it reads the row.
    """
    _print_changed(
        asyncio.run(_set_deactivated(rule_id, deactivated=True)), deactivated=True, as_json=as_json
    )


@click.command
@click.argument("rule_id", metavar="ID", type=RULE_ID)
@json_option
def resume(rule_id: int, *, as_json: bool) -> None:
    """Resume a paused rule.

    The command clears `deactivated` in its row. A rule that is not PUBLISH stays paused. The rule does not fire for the
    times that it has missed; to make up for them use `xnovu rules backfill`.
    """
    _print_changed(
        asyncio.run(_set_deactivated(rule_id, deactivated=False)), deactivated=False, as_json=as_json
    )


async def _set_deactivated(rule_id: int, *, deactivated: bool) -> Rule:
    async with database() as engine:
        await rules.set_deactivated(engine, rule_id, deactivated=deactivated)
        return await read_rule(engine, rule_id)


def _print_changed(rule: Rule, *, deactivated: bool, as_json: bool) -> None:
    if as_json:
        print_json({"rule_id": rule.id, "deactivated": deactivated, "active": rule.active})
    elif deactivated:
        click.echo(f"Rule {rule.id} is deactivated; a worker will pause its schedule.")
    elif rule.active:
        click.echo(f"Rule {rule.id} is active; a worker will resume its schedule.")
    else:
        click.echo(f"Rule {rule.id} is no longer deactivated, but it is not PUBLISH, so it stays paused.")


@click.command
@click.argument("rule_id", metavar="ID", type=RULE_ID)
@click.option(
    "--wait/--no-wait",
    default=True,
    show_default=True,
    help=f"Wait up to {WAIT_SECONDS} s for the outcome.",
)
@json_option
@click.pass_context
def fire(ctx: click.Context, rule_id: int, *, wait: bool, as_json: bool) -> None:
    """Fire a rule once, now.

    A worker makes one notification from the current row, regardless of the times of the rule. Each call makes one more.
    A one-time rule still fires at its time. The exit code is 1 if the firing made no notification, which the output
    explains, or if no worker took it in time; then it still may.
    """
    firing = asyncio.run(_fire(rule_id, wait=wait))
    if as_json:
        print_json(
            {
                "rule_id": rule_id,
                "run_id": firing.run_id,
                "outcome": firing.outcome,
                "notification_id": firing.notification_id,
            }
        )
    else:
        click.echo(_describe_firing(rule_id, firing, waited=wait))
    if wait and firing.notification_id is None:
        ctx.exit(1)


async def _fire(rule_id: int, *, wait: bool) -> Firing:
    # Temporal's SDK takes long to load, and most commands do without it.
    from xnovu_poller.cli.connect_temporal import database_and_temporal  # noqa: PLC0415
    from xnovu_poller.temporal.rules.firing_outcome import wait_for_outcome  # noqa: PLC0415

    async with database_and_temporal() as connected:
        rule = await read_rule(connected.engine, rule_id)
        run_id = await connected.schedules.fire(rule_id, rule.enterprise_id)
        if not wait:
            return Firing(run_id)
        outcome = await wait_for_outcome(connected.client, run_id, timedelta(seconds=WAIT_SECONDS))
        return Firing(run_id, outcome, await find_made(connected.engine, rule.enterprise_id, run_id))


def _describe_firing(rule_id: int, firing: Firing, *, waited: bool) -> str:
    if firing.notification_id is not None:
        return f"Rule {rule_id} made notification {firing.notification_id}."
    if firing.outcome is not None:
        return f"Rule {rule_id} made no notification: {_REASONS[firing.outcome]}."
    if waited:
        return (
            f"Rule {rule_id} has not fired within {WAIT_SECONDS} s; check that a worker is running."
            f" It fires as run {firing.run_id} as soon as a worker takes it."
        )
    return f"Rule {rule_id} fires as run {firing.run_id}."


@click.command
@click.argument("rule_id", metavar="ID", type=RULE_ID)
@click.option(
    "--from",
    "start",
    type=parse_time,
    metavar="TIME",
    required=True,
    help="The first time to fire for, included.",
)
@click.option(
    "--to", "end", type=parse_time, metavar="TIME", required=True, help="The last time to fire for, included."
)
@click.option("--force", is_flag=True, help=f"Allow more than {MOST_UNFORCED} firings.")
@json_option
def backfill(rule_id: int, start: datetime, end: datetime, *, force: bool, as_json: bool) -> None:
    """Fire a rule for the times that it missed.

    The rule fires for each of its times from --from to --to, as if they came now. Times without an offset are in the
    rule's zone. A time that has already fired makes no second notification as long as the first notification is retained. The
    notifications have the current text of the rule and are due at once. Temporal starts about ten firings a second. If
    the rule's overlap is SKIP, the default, it drops its own times while a backfilled firing is running: backfill those
    minutes again if they matter.

    \b
    Example:
        xnovu rules backfill 7 --from 2027-03-01 --to 2027-03-05T18:00
    """  # noqa: D301 - Click reads the backspace as "do not wrap this paragraph"
    firings = asyncio.run(_backfill(rule_id, start, end, force=force))
    if as_json:
        print_json({"rule_id": rule_id, "firings": len(firings), "times": [format_iso(at) for at in firings]})
    else:
        click.echo(
            f"Rule {rule_id} fires {len(firings)} time{'s' if len(firings) != 1 else ''},"
            f" from {format_time(firings[0])} to {format_time(firings[-1])}; workers make the notifications."
        )


async def _backfill(rule_id: int, start: datetime, end: datetime, *, force: bool) -> list[datetime]:
    async with database() as engine:
        rule = await read_rule(engine, rule_id)
    timing = _read_repeated(rule)
    first, last = add_zone(start, timing.shown_in), add_zone(end, timing.shown_in)
    firings = _find_firings(timing, first, last, force=force)
    # Temporal's SDK takes long to load, and most commands do without it.
    from xnovu_poller.cli.connect_temporal import database_and_temporal  # noqa: PLC0415

    async with database_and_temporal() as connected:
        try:
            await connected.schedules.backfill(rule_id, first, last, Overlap.ALLOW_ALL)
        except ScheduleMissing:
            reason = rule.error or "has no schedule yet; start a worker, which creates it"
            raise build_error(rule_id, reason) from None
    return [at.astimezone(ZoneInfo(timing.shown_in)) for at in firings]


def _read_repeated(rule: Rule) -> Timing:
    """Return the timing of a rule that can be backfilled."""
    if not rule.active:
        raise build_error(rule.id, "is deactivated or not PUBLISH, so no firing would make a notification")
    if rule.trigger is not RuleTrigger.CRON:
        raise build_error(rule.id, f"fires only once; to fire it now run `xnovu rules fire {rule.id}`")
    try:
        return read_timing(rule.trigger, rule.config)
    except RuleInvalid as error:
        raise build_error(rule.id, f"{error.path}: {error.reason}") from None


def _find_firings(timing: Timing, first: datetime, last: datetime, *, force: bool) -> list[datetime]:
    """Return the times of a range, both ends included; refuse a range that is probably a mistake."""
    if last < first:
        raise click.UsageError("--to is before --from; swap them")
    if last > datetime.now(UTC):
        raise click.UsageError("--to is in the future; the schedule will fire for those times")
    found: list[datetime] = []
    after = first - timedelta(microseconds=1)
    while page := [time.at for time in list_next(timing, after, MOST_UNFORCED) if time.at is not None]:
        found += [at for at in page if at <= last]
        if len(found) > MOST_UNFORCED and not force:
            raise click.UsageError(
                f"the range has more than {MOST_UNFORCED} firings; allow them with --force"
            )
        if page[-1] > last:
            break
        after = page[-1]
    if not found:
        raise click.UsageError("the rule has no time in that range; `xnovu rules preview` shows its times")
    return found
