"""The options by which a command chooses notifications, alike in all commands."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any

import click

from xnovu_poller.lifecycle import Status
from xnovu_poller.store.notifications.filters import Filters

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_FIRST_YEAR, LAST_YEAR = 1970, 9000
_MOST_CHARACTERS = 10_000

NOTIFICATION_ID = click.IntRange(1, 2**63 - 1)


def parse_text(value: str) -> str:
    """Read text that PostgreSQL can hold."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise click.BadParameter("is not valid UTF-8") from None
    if len(value) > _MOST_CHARACTERS:
        raise click.BadParameter(f"is longer than {_MOST_CHARACTERS} characters")
    return value


def parse_moment(value: str) -> datetime:
    """Read a time: in ISO 8601, in UTC if it has no offset; or how long ago."""
    try:
        age = read_duration(value)
        at = datetime.fromisoformat(value) if age is None else datetime.now(UTC) - age
    except (ValueError, OverflowError):
        at = None
    if at is None or not _FIRST_YEAR <= at.year <= LAST_YEAR:
        raise click.BadParameter(
            f"{value!r} is not a time; write 2026-11-30, 2026-11-30T09:00+01:00, or how long ago: 90m, 24h, 7d"
        )
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def read_duration(value: str) -> timedelta | None:
    """Read 90m, 24h or 7d; return None if it is none of these."""
    duration = re.fullmatch(r"([0-9]{1,9})([mhd])", value)
    return duration and timedelta(**{_UNITS[duration[2]]: int(duration[1])})


def choose_by_filters(states: Sequence[Status], default: str) -> Callable[[Callable[..., Any]], Any]:
    """Give a command the options of all filters, and pass them to it as `filters`.

    Args:
        states: the states that it can choose.
        default: those that it chooses if none is given, for the help.
    """
    options = (
        click.option("--enterprise", type=parse_text, metavar="ID", help="Only of this enterprise."),
        click.option(
            "--state",
            "states",
            type=click.Choice(states, case_sensitive=False),
            multiple=True,
            help=f"Only in this state; may be repeated.  [default: {default}]",
        ),
        click.option(
            "--code", type=parse_text, metavar="CODE", help="Only with this code in `error_details`."
        ),
        click.option(
            "--workflow", type=parse_text, metavar="KEY", help="Only of the workflows with this key."
        ),
        click.option("--rule", type=NOTIFICATION_ID, metavar="ID", help="Only made by this rule."),
        click.option("--tag", type=parse_text, metavar="TAG", help="Only with this tag."),
        click.option(
            "--since",
            type=parse_moment,
            metavar="TIME",
            help="Only inserted since then: a time, or 90m, 24h, 7d ago.",
        ),
        click.option("--until", type=parse_moment, metavar="TIME", help="Only inserted before then."),
        click.option(
            "--recipient", type=parse_text, metavar="ID", help="Only to this subscriber, or topic:KEY."
        ),
    )

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        names = Filters.__dataclass_fields__.keys()

        @wraps(command)
        def called(**values: Any) -> Any:  # noqa: ANN401 - Click passes the options by name
            chosen = {name: values.pop(name) for name in names & values.keys()}
            chosen["states"] = tuple(state for state in states if state in chosen["states"])
            return command(filters=Filters(**chosen), **values)

        for option in reversed(options):
            called = option(called)
        return called

    return decorate
