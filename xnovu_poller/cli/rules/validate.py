"""`xnovu rules validate`: find what keeps rules from firing, or their notifications from being sent."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import click

from xnovu_poller.cli.connect import database
from xnovu_poller.cli.output import LONGEST_SENTENCE, NOTHING, json_option, print_json, print_table
from xnovu_poller.cli.rules.preview import guess_trigger, parse_config
from xnovu_poller.cli.rules.rule import RULE_ID
from xnovu_poller.errors import RuleInvalid
from xnovu_poller.lifecycle import RuleStatus, RuleTrigger
from xnovu_poller.rules.advice import advise
from xnovu_poller.rules.timing import read_timing
from xnovu_poller.store import rules
from xnovu_poller.store.rules import Rule


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault of a rule, or a warning.

    Attributes:
        rule_id: None for a config that is not in the table.
        where: the part of the rule.
        reason: names the mistake, and what to write instead.
    """

    rule_id: int | None
    where: str
    reason: str


@dataclass(frozen=True, slots=True)
class Checked:
    """The result of a check: the number of rules, their faults, and warnings. A warning is no fault: the rule fires as written."""

    checked: int
    faults: list[Finding]
    warnings: list[Finding]


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
    fault, the exit code is 1, and a table shows each fault and what to write instead. A second table has warnings:
    times that can be served, but may not be those that you mean (31 in a month of 30 days, every 45 minutes).

    \b
    Examples:
        xnovu rules validate
        xnovu rules validate 7 8 --json
        xnovu rules validate --config '{"cron": "0 9 * * 1-5", "timezone": "Asia/Shanghai"}'
    """  # noqa: D301 - Click reads the backspace as "do not wrap this paragraph"
    if config is not None and ids:
        raise click.UsageError("give IDs or --config, not both")
    if config is None:
        found = asyncio.run(_check(ids))
    else:
        trigger = guess_trigger(config)
        found = Checked(1, _check_times(None, trigger, config), _list_warnings(None, trigger, config))
    if as_json:
        print_json(asdict(found))
    else:
        _print(found)
    if found.faults:
        ctx.exit(1)


async def _check(ids: Sequence[int]) -> Checked:
    async with database() as engine:
        known = await rules.read_all(engine)
        chosen = [rule for rule in known if not ids or rule.id in ids]
        problems = await rules.find_problems(engine, ids or None)
    missing = sorted(set(ids) - {rule.id for rule in chosen})
    faults = [
        Finding(rule_id, "id", "does not exist; `xnovu rules list` shows all rules") for rule_id in missing
    ]
    faults += [fault for rule in chosen for fault in _check_rule(rule)]
    faults += [Finding(problem.rule_id, "row", problem.reason) for problem in problems]
    return Checked(
        len(chosen) + len(missing),
        sorted(faults, key=lambda fault: fault.rule_id or 0),
        [warning for rule in chosen for warning in _list_warnings(rule.id, rule.trigger, rule.config)],
    )


def _check_rule(rule: Rule) -> list[Finding]:
    faults = _check_times(rule.id, rule.trigger, rule.config)
    if not faults and rule.status is RuleStatus.FAILED:
        faults.append(Finding(rule.id, "schedule", rule.error or "Temporal refused it"))
    return faults


def _check_times(rule_id: int | None, trigger: RuleTrigger, config: dict[str, Any]) -> list[Finding]:
    try:
        read_timing(trigger, config)
    except RuleInvalid as error:
        return [Finding(rule_id, error.path, error.reason)]
    return []


def _list_warnings(rule_id: int | None, trigger: RuleTrigger, config: dict[str, Any]) -> list[Finding]:
    return [Finding(rule_id, each.where, each.reason) for each in advise(trigger, config)]


def _print(found: Checked) -> None:
    for head, findings in (("FAULT", found.faults), ("WARNING", found.warnings)):
        if findings:
            print_table(
                ("RULE", "WHERE", head),
                [(str(each.rule_id or NOTHING), each.where, each.reason) for each in findings],
                longest=LONGEST_SENTENCE,
            )
    faulty, doubtful = ({each.rule_id for each in findings} for findings in (found.faults, found.warnings))
    warned = f", {len(doubtful)} with warnings" if doubtful else ""
    click.echo(f"{found.checked} checked, {len(faulty)} with faults{warned}.")
