"""`xnovu rules fire`, `pause`, `resume` and `backfill`: what a person does with a rule."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import click

from xnovu_poller.cli.connect import database, database_and_temporal
from xnovu_poller.cli.rules.output import iso, put_json, said
from xnovu_poller.cli.rules.preview import in_zone, moment
from xnovu_poller.cli.rules.rule import RULE_ID, json_option, not_found, read_rule
from xnovu_poller.errors import RuleInvalid, ScheduleMissing
from xnovu_poller.lifecycle import FireOutcome, RuleTrigger
from xnovu_poller.rules.preview import list_next
from xnovu_poller.rules.timing import Overlap, Timing, read_timing
from xnovu_poller.store import rules
from xnovu_poller.store.rules import Rule
from xnovu_poller.temporal.rules import firing_outcome

MOST_UNFORCED = 1000
"""Firings that a backfill makes without being asked twice."""

PATIENCE = 30
"""Seconds that a person waits for what comes of a firing."""

_BEFORE = timedelta(microseconds=1)

_REASONS = {
    FireOutcome.CREATED: "what it made was deleted meanwhile",
    FireOutcome.INACTIVE: "it is deactivated or not PUBLISH",
    FireOutcome.NO_RECIPIENTS: "its rule_payload names no recipients",
    FireOutcome.GONE: "its row was deleted meanwhile",
    FireOutcome.REPEATED: "the same firing had made it before",
}


@dataclass(frozen=True, slots=True)
class Firing:
    """A firing that a person asked for, and what has come of it; None: not known yet."""

    workflow_id: str
    outcome: FireOutcome | None = None
    notification_id: int | None = None


@click.command
@click.argument("rule_id", metavar="ID", type=RULE_ID)
@json_option
def pause(rule_id: int, *, as_json: bool) -> None:
    """Let rule ID fire no more, for now.

    Its row becomes `deactivated`; its schedule follows at the next comparison, at once where wake-ups are on,
    and stands still. A firing that comes before makes no notification, for it reads the row.
    """
    _put_switched(asyncio.run(_switch(rule_id, deactivated=True)), deactivated=True, as_json=as_json)


@click.command
@click.argument("rule_id", metavar="ID", type=RULE_ID)
@json_option
def resume(rule_id: int, *, as_json: bool) -> None:
    """Let rule ID fire again.

    Its row is no longer `deactivated`. A rule that is not PUBLISH stays paused all the same. What it missed
    while it was paused is not made up for; `xnovu rules backfill` does that.
    """
    _put_switched(asyncio.run(_switch(rule_id, deactivated=False)), deactivated=False, as_json=as_json)


async def _switch(rule_id: int, *, deactivated: bool) -> Rule:
    async with database() as engine:
        if not await rules.set_deactivated(engine, rule_id, deactivated=deactivated):
            raise not_found(rule_id)
        return await read_rule(engine, rule_id)


def _put_switched(found: Rule, *, deactivated: bool, as_json: bool) -> None:
    if as_json:
        put_json({"rule_id": found.id, "deactivated": deactivated, "active": found.active})
    elif deactivated:
        click.echo(f"Rule {found.id} is deactivated; its schedule stands still from the next comparison on.")
    elif found.active:
        click.echo(f"Rule {found.id} is active; its schedule goes on from the next comparison on.")
    else:
        click.echo(f"Rule {found.id} is no longer deactivated, but not PUBLISH either: it stays paused.")


@click.command
@click.argument("rule_id", metavar="ID", type=RULE_ID)
@click.option(
    "--wait/--no-wait",
    default=True,
    show_default=True,
    help=f"Wait for what comes of it, {PATIENCE} s at most.",
)
@json_option
@click.pass_context
def fire(ctx: click.Context, rule_id: int, *, wait: bool, as_json: bool) -> None:
    """Let rule ID fire now, once.

    Its times do not matter. A workflow of its own makes the notification, from the row as it is now; a
    worker has to run. Each call makes one more. A one-time rule still fires at its time. Exit code 1 if no
    notification came of it, with the reason, or if nobody took it in time: then it still may.
    """
    firing = asyncio.run(_fire(rule_id, wait=wait))
    if as_json:
        put_json(
            {
                "rule_id": rule_id,
                "workflow_id": firing.workflow_id,
                "outcome": firing.outcome,
                "notification_id": firing.notification_id,
            }
        )
    else:
        click.echo(_told(rule_id, firing, waited=wait))
    if wait and firing.notification_id is None:
        ctx.exit(1)


async def _fire(rule_id: int, *, wait: bool) -> Firing:
    async with database_and_temporal() as connected:
        found = await read_rule(connected.engine, rule_id)
        workflow_id = await connected.schedules.fire(rule_id, found.enterprise_id)
        if not wait:
            return Firing(workflow_id)
        outcome = await firing_outcome.wait_for_outcome(
            connected.client, workflow_id, timedelta(seconds=PATIENCE)
        )
        return Firing(
            workflow_id, outcome, await rules.find_made(connected.engine, found.enterprise_id, workflow_id)
        )


def _told(rule_id: int, firing: Firing, *, waited: bool) -> str:
    if firing.notification_id is not None:
        return f"Rule {rule_id} made notification {firing.notification_id}."
    if firing.outcome is not None:
        return f"Rule {rule_id} made no notification: {_REASONS[firing.outcome]}."
    if waited:
        return (
            f"Rule {rule_id} was asked to fire, but nobody took it within {PATIENCE} s: does a worker run?"
            f" It still fires as soon as one does; its workflow is {firing.workflow_id}."
        )
    return f"Rule {rule_id} fires as workflow {firing.workflow_id}."


@click.command
@click.argument("rule_id", metavar="ID", type=RULE_ID)
@click.option(
    "--from",
    "start",
    type=moment,
    metavar="TIME",
    required=True,
    help="The first time to make up for, itself included.",
)
@click.option("--to", "end", type=moment, metavar="TIME", required=True, help="The last time to make up for.")
@click.option("--force", is_flag=True, help=f"Also more than {MOST_UNFORCED} firings.")
@json_option
def backfill(rule_id: int, start: datetime, end: datetime, *, force: bool, as_json: bool) -> None:
    """Let rule ID fire for times that it missed.

    It fires for each of its times between two, as if they came now. Times without an offset are meant in
    the rule's zone. What had fired at its time, and is still retained, is not made again: the notification
    bears the time's own dedup key. Each firing takes the rule's text of today, and the notifications are
    due at once. Temporal starts some ten a second. A rule whose overlap is SKIP, which is the default, drops
    the times that come while a firing of the past is under way: go over that minute, too, where it matters.

    \b
    Example:
        xnovu rules backfill 7 --from 2027-03-01 --to 2027-03-05T18:00
    """  # noqa: D301 - Click takes the backspace for "leave this paragraph as it is"
    firings = asyncio.run(_backfill(rule_id, start, end, force=force))
    if as_json:
        put_json({"rule_id": rule_id, "firings": len(firings), "times": [iso(each) for each in firings]})
    else:
        click.echo(
            f"Rule {rule_id} fires for {len(firings)} times,"
            f" from {said(firings[0])} to {said(firings[-1])}; its notifications come as executors take them."
        )


async def _backfill(rule_id: int, start: datetime, end: datetime, *, force: bool) -> list[datetime]:
    async with database() as engine:
        found = await read_rule(engine, rule_id)
    when = _repeated(found)
    first, last = in_zone(start, when.shown_in), in_zone(end, when.shown_in)
    firings = _between(when, first, last, forced=force)
    async with database_and_temporal() as connected:
        try:
            await connected.schedules.backfill(rule_id, first, last, Overlap.ALLOW_ALL)
        except ScheduleMissing:
            reason = found.error or "it has no schedule yet; a worker that runs makes it"
            raise _refused(rule_id, reason) from None
    return [at.astimezone(ZoneInfo(when.shown_in)) for at in firings]


def _repeated(found: Rule) -> Timing:
    """Give the times of a rule that can be made up for."""
    if not found.active:
        raise _refused(found.id, "it is deactivated or not PUBLISH, so no firing would make a notification")
    if found.trigger is not RuleTrigger.CRON:
        raise _refused(found.id, f"it fires once; `xnovu rules fire {found.id}` lets it fire now")
    try:
        return read_timing(found.trigger, found.config)
    except RuleInvalid as error:
        raise _refused(found.id, f"{error.path}: {error.reason}") from None


def _between(when: Timing, first: datetime, last: datetime, *, forced: bool) -> list[datetime]:
    """Give the times of a range, both ends included; refuse one that nobody can mean."""
    if last < first:
        raise click.UsageError("--to lies before --from")
    if last > datetime.now(UTC):
        raise click.UsageError("--to lies ahead; the schedule sees to what comes")
    found: list[datetime] = []
    after = first - _BEFORE
    while page := [each.at for each in list_next(when, after, MOST_UNFORCED) if each.at is not None]:
        found += [at for at in page if at <= last]
        if len(found) > MOST_UNFORCED and not forced:
            raise click.UsageError(f"more than {MOST_UNFORCED} firings lie in that range; --force makes them")
        if page[-1] > last:
            break
        after = page[-1]
    if not found:
        raise click.UsageError("no time of the rule lies in that range; `xnovu rules preview` tells them")
    return found


def _refused(rule_id: int, reason: str) -> click.ClickException:
    return click.ClickException(f"rule {rule_id}: {reason}")
