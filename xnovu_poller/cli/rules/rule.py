"""What the commands on rules share: the argument ID, the option --json, and reading one rule."""

import click

from xnovu_poller.store import rules
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.rules import Rule

RULE_ID = click.IntRange(1, 2**63 - 1)


async def read_rule(engine: Engine, rule_id: int) -> Rule:
    """Read a rule.

    Raises:
        click.ClickException: it does not exist.
        StoreUnavailable: PostgreSQL does not answer.
    """
    found = await rules.read(engine, rule_id)
    if found is None:
        raise build_error(rule_id, "does not exist; `xnovu rules list` shows all rules")
    return found


def build_error(rule_id: int, reason: str) -> click.ClickException:
    """Return the error for a command that cannot serve a rule; it exits with 1."""
    return click.ClickException(f"rule {rule_id}: {reason}")
