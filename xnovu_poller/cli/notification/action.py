"""What `retract` and `revive` have in common: which notifications they change, and who does it."""

import os
import pwd
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import click

from xnovu_poller.cli.notification.choice import NOTIFICATION_ID, parse_text
from xnovu_poller.cli.output import json_option
from xnovu_poller.store.notifications.filters import Filters

_LONGEST_ACTOR = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a person asks for: ids, or filters; neither chooses all that the action can change."""

    ids: tuple[int, ...]
    filters: Filters
    dry_run: bool
    yes: bool
    actor: str
    as_json: bool


def _parse_actor(value: str) -> str:
    if not 1 <= len(parse_text(value)) <= _LONGEST_ACTOR:
        raise click.BadParameter(f"is not a name of 1 to {_LONGEST_ACTOR} characters")
    return value


def _name_user() -> str:
    """Return the user of the operating system; in a container it may have no name."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


actor_option = click.option(
    "--actor",
    type=_parse_actor,
    default=_name_user,
    metavar="NAME",
    help="Who does it, for the audit.  [default: the user of the operating system]",
)


def request_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the ids and options of an action, and pass them to it as `request`."""

    @wraps(command)
    def called(  # noqa: PLR0913 - each is an option of the command
        ids: tuple[int, ...],
        filters: Filters,
        actor: str,
        *,
        all_: bool,
        dry_run: bool,
        yes: bool,
        as_json: bool,
        **others: Any,  # noqa: ANN401 - Click passes the other options by name
    ) -> Any:  # noqa: ANN401 - as the command
        if sum((bool(ids), filters != Filters(), all_)) != 1:
            raise click.UsageError("choose notifications by ids, or by filters, or all of them by --all")
        request = Request(
            ids=tuple(dict.fromkeys(ids)),
            filters=filters,
            dry_run=dry_run,
            yes=yes,
            actor=actor,
            as_json=as_json,
        )
        return command(request=request, **others)

    options = (
        click.argument("ids", metavar="[ID]...", type=NOTIFICATION_ID, nargs=-1),
        click.option("--all", "all_", is_flag=True, help="All of them, without a filter."),
        click.option("--dry-run", is_flag=True, help="Count them, and change nothing."),
        click.option("--yes", is_flag=True, help="Do not ask for a confirmation."),
        actor_option,
        json_option,
    )
    for option in reversed(options):
        called = option(called)
    return called
