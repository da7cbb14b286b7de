"""`xnovu rules validate`: find what keeps rules from firing, or their notifications from being sent."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import click

from xnovu_poller.cli.connect import database
from xnovu_poller.cli.rules.output import LONGEST_SENTENCE, NOTHING, print_json, print_table
from xnovu_poller.cli.rules.preview import guess_trigger, parse_config
from xnovu_poller.cli.rules.rule import RULE_ID, json_option
from xnovu_poller.errors import RuleInvalid
from xnovu_poller.lifecycle import RuleStatus, RuleTrigger
from xnovu_poller.rules.timing import read_timing
from xnovu_poller.store import rules
from xnovu_poller.store.rules import Rule


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of a rule.

    Attributes:
        rule_id: None for a config that is not in the table.
        where: the part of the rule.
        reason: names the mistake, and what to write instead.
    """

    rule_id: int | None
    where: str
    reason: str


@click.command
@click.argument("ids", metavar="[ID...]", type=RULE_ID, nargs=-1)
@click.option(
    "--config",
    type=parse_config,
    metavar="JSON",
    help="Check this trigger_config instead of rows; no server is needed.",
)
@json_option
@click.pass_context
def validate(
    ctx: click.Context, ids: tuple[int, ...], config: dict[str, Any] | None, *, as_json: bool
) -> None:
    """Check all rules, or those that you name.

    The command checks their times, workflow and recipients, also of drafts and deactivated rules. If a rule has a
    fault, the exit code is 1, and a table shows each fault and what to write instead.

    \b
    Examples:
        xnovu rules validate
        xnovu rules validate 7 8 --json
        xnovu rules validate --config '{"cron": "0 9 * * 1-5", "timezone": "Asia/Shanghai"}'
    """  # noqa: D301 - Click reads the backspace as "do not wrap this paragraph"
    if config is not None and ids:
        raise click.UsageError("give IDs or --config, not both")
    if config is None:
        checked, faults = asyncio.run(_check(ids))
    else:
        checked, faults = 1, _check_times(None, guess_trigger(config), config)
    if as_json:
        print_json({"checked": checked, "faults": [asdict(fault) for fault in faults]})
    else:
        _print_faults(checked, faults)
    if faults:
        ctx.exit(1)


async def _check(ids: Sequence[int]) -> tuple[int, list[Fault]]:
    async with database() as engine:
        known = await rules.read_all(engine)
        chosen = [rule for rule in known if not ids or rule.id in ids]
        problems = await rules.find_problems(engine, ids or None)
    missing = sorted(set(ids) - {rule.id for rule in chosen})
    faults = [
        Fault(rule_id, "id", "does not exist; `xnovu rules list` shows all rules") for rule_id in missing
    ]
    faults += [fault for rule in chosen for fault in _check_rule(rule)]
    faults += [Fault(problem.rule_id, "row", problem.reason) for problem in problems]
    return len(chosen) + len(missing), sorted(faults, key=lambda fault: fault.rule_id or 0)


def _check_rule(rule: Rule) -> list[Fault]:
    faults = _check_times(rule.id, rule.trigger, rule.config)
    if not faults and rule.status is RuleStatus.FAILED:
        faults.append(Fault(rule.id, "schedule", rule.error or "Temporal refused it"))
    return faults


def _check_times(rule_id: int | None, trigger: RuleTrigger, config: dict[str, Any]) -> list[Fault]:
    try:
        read_timing(trigger, config)
    except RuleInvalid as error:
        return [Fault(rule_id, error.path, error.reason)]
    return []


def _print_faults(checked: int, faults: Sequence[Fault]) -> None:
    if faults:
        print_table(
            ("RULE", "WHERE", "FAULT"),
            [(str(fault.rule_id or NOTHING), fault.where, fault.reason) for fault in faults],
            longest=LONGEST_SENTENCE,
        )
    click.echo(f"{checked} checked, {len({fault.rule_id for fault in faults})} with faults.")
