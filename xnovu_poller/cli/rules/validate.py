"""`xnovu rules validate`: what would keep a rule from firing, or its notification from being made."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from xnovu_poller.cli.connect import database
from xnovu_poller.cli.rules.output import NOTHING, SENTENCE, put_json, put_table
from xnovu_poller.cli.rules.preview import trigger_config, trigger_of
from xnovu_poller.cli.rules.rule import RULE_ID, json_option
from xnovu_poller.errors import RuleInvalid
from xnovu_poller.lifecycle import RuleStatus, RuleTrigger
from xnovu_poller.rules.timing import read_timing
from xnovu_poller.store import rules
from xnovu_poller.store.rules import Rule


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with a rule.

    Attributes:
        rule_id: which; None: one that is not in the table yet.
        where: the part of it.
        reason: what is wrong, and what to write instead.
    """

    rule_id: int | None
    where: str
    reason: str


@click.command
@click.argument("ids", metavar="[ID...]", type=RULE_ID, nargs=-1)
@click.option(
    "--config",
    type=trigger_config,
    metavar="JSON",
    help="Check a trigger_config of no rule yet; no server is needed.",
)
@json_option
@click.pass_context
def validate(
    ctx: click.Context, ids: tuple[int, ...], config: dict[str, Any] | None, *, as_json: bool
) -> None:
    """Look for faults in all rules, or in some.

    It looks at their times, their workflow and their recipients. Drafts and deactivated rules are
    checked too. Exit code 1 if any has a fault; a table tells which and what to write instead.

    \b
    Examples:
        xnovu rules validate
        xnovu rules validate 7 8 --json
        xnovu rules validate --config '{"cron": "0 9 * * 1-5", "timezone": "Asia/Shanghai"}'
    """  # noqa: D301 - Click takes the backspace for "leave this paragraph as it is"
    if config is not None and ids:
        raise click.UsageError("name rules or give --config, not both")
    if config is None:
        checked, flaws = asyncio.run(_check(ids))
    else:
        checked, flaws = 1, _of_times(None, trigger_of(config), config)
    if as_json:
        put_json(
            {
                "checked": checked,
                "faults": [
                    {"rule_id": flaw.rule_id, "where": flaw.where, "reason": flaw.reason} for flaw in flaws
                ],
            }
        )
    else:
        _put(checked, flaws)
    if flaws:
        ctx.exit(1)


async def _check(ids: Sequence[int]) -> tuple[int, list[Flaw]]:
    async with database() as engine:
        known = await rules.read_all(engine)
        chosen = [rule for rule in known if not ids or rule.id in ids]
        doubts = await rules.find_problems(engine, ids or None)
    missing = sorted(set(ids) - {rule.id for rule in chosen})
    flaws = [Flaw(rule_id, "id", "there is no rule of this id") for rule_id in missing]
    flaws += [flaw for rule in chosen for flaw in _of_rule(rule)]
    flaws += [Flaw(doubt.rule_id, "row", doubt.reason) for doubt in doubts]
    return len(chosen), sorted(flaws, key=lambda flaw: flaw.rule_id or 0)


def _of_rule(rule: Rule) -> list[Flaw]:
    flaws = _of_times(rule.id, rule.trigger, rule.config)
    if not flaws and rule.status is RuleStatus.FAILED:
        flaws.append(Flaw(rule.id, "schedule", rule.error or "Temporal would not have it"))
    return flaws


def _of_times(rule_id: int | None, trigger: RuleTrigger, config: dict[str, Any]) -> list[Flaw]:
    try:
        read_timing(trigger, config)
    except RuleInvalid as error:
        return [Flaw(rule_id, error.path, error.reason)]
    return []


def _put(checked: int, flaws: Sequence[Flaw]) -> None:
    if flaws:
        put_table(
            ("RULE", "WHERE", "FAULT"),
            [(str(flaw.rule_id or NOTHING), flaw.where, flaw.reason) for flaw in flaws],
            widest=SENTENCE,
        )
    click.echo(f"{checked} checked, {len({flaw.rule_id for flaw in flaws})} with faults.")
