"""`xnovu pause` and `xnovu resume`: hold notifications back, and let them go."""

import asyncio
import shlex
from datetime import UTC, datetime

import click

from xnovu_poller.cli.connect import database
from xnovu_poller.cli.notification.action import actor_option
from xnovu_poller.cli.notification.choice import LAST_YEAR, parse_text, read_duration
from xnovu_poller.cli.output import NOTHING, escape_for_terminal, json_option, print_json, print_table
from xnovu_poller.cli.rules.output import format_iso, format_time
from xnovu_poller.store import pauses, pausing
from xnovu_poller.store.pauses import Pause, Paused

LONGEST_NAME, LONGEST_REASON = 255, 1000
"""As the table has it: bytes of an enterprise or a key, and characters of a reason."""


def _parse_end(value: str) -> datetime:
    try:
        duration = read_duration(value)
        at = datetime.fromisoformat(value) if duration is None else datetime.now(UTC) + duration
    except (ValueError, OverflowError):
        at = None
    if at is None or at.tzinfo is None:
        raise click.BadParameter(
            f"{value!r} is no time with an offset, and no duration; write 2027-03-28T02:30+02:00,"
            " 2027-03-28T00:30Z, or how long: 90m, 2h, 1d"
        )
    if at.year > LAST_YEAR:
        raise click.BadParameter(f"it is later than the year {LAST_YEAR}; without --until, a person ends it")
    return at


def _parse_name(value: str) -> str:
    if not parse_text(value).strip() or len(value.encode()) > LONGEST_NAME:
        raise click.BadParameter(f"it is empty or has more than {LONGEST_NAME} bytes")
    return value


def _parse_reason(value: str) -> str:
    if not parse_text(value).strip() or len(value) > LONGEST_REASON:
        raise click.BadParameter(f"it is empty or has more than {LONGEST_REASON} characters")
    return value


enterprise_option = click.option("--enterprise", metavar="ID", type=_parse_name, help="Only this enterprise.")
workflow_option = click.option(
    "--workflow",
    metavar="KEY",
    type=_parse_name,
    help="Only the workflow with this key, of the enterprise or of all.",
)


@click.command(name="pause")
@enterprise_option
@workflow_option
@click.option("--reason", metavar="TEXT", type=_parse_reason, help="Why; everybody who lists pauses sees it.")
@click.option(
    "--until",
    metavar="TIME",
    type=_parse_end,
    help="End by itself at this time, as 2027-03-28T02:30+02:00, or after 90m, 2h, 1d.",
)
@click.option("--list", "is_list", is_flag=True, help="List the pauses, and pause nothing.")
@actor_option
@json_option
def pause_(  # noqa: PLR0913 - each is an option of the command
    enterprise: str | None,
    workflow: str | None,
    reason: str | None,
    until: datetime | None,
    actor: str,
    *,
    is_list: bool,
    as_json: bool,
) -> None:
    """Hold notifications back: of an enterprise, of a workflow, of one workflow of an enterprise, or all.

    No worker claims them from now on, and their rows stay PENDING or FAILED until `xnovu resume`. What a worker has
    claimed before is still sent. Rules still fire, and notifications still expire. A pause of the same scope is replaced.

    \b
    Examples:
        xnovu pause --reason "Novu is being moved"
        xnovu pause --enterprise acme --reason flood --until 2h
        xnovu pause --enterprise acme --workflow order-shipped --reason "wrong text" --until 2027-03-28T18:00+02:00
        xnovu pause --list
    """  # noqa: D301 - Click reads the backspace as "do not wrap this paragraph"
    if is_list:
        _print_list(asyncio.run(_read()), as_json=as_json)
        return
    if reason is None:
        raise click.UsageError("write why: --reason TEXT; to see all pauses: --list")
    paused = Paused(enterprise, workflow)
    asyncio.run(_pause(paused, reason, until, actor))
    if as_json:
        print_json({**_to_json(paused), "reason": reason, "ends_at": format_iso(until)})
    else:
        end = "" if until is None else f" until {format_time(until)}"
        click.echo(f"{_describe(paused)}: paused{end}. To resume: xnovu resume{_options(paused)}")


@click.command
@enterprise_option
@workflow_option
@actor_option
@json_option
def resume(enterprise: str | None, workflow: str | None, actor: str, *, as_json: bool) -> None:
    """End a pause, so that its notifications are claimed at once.

    Name what the pause names: without options it ends the pause of all notifications, and no other. If the brake of an
    enterprise has paused it, everything that it has inserted by now is released.
    """
    paused = Paused(enterprise, workflow)
    ended = asyncio.run(_resume(paused, actor))
    if ended is None:
        raise click.ClickException(f"{_describe(paused)}: no such pause; `xnovu pause --list` shows all")
    if as_json:
        print_json(_pause_to_json(ended))
    else:
        click.echo(f"{_describe(paused)}: resumed")


async def _pause(paused: Paused, reason: str, until: datetime | None, actor: str) -> None:
    async with database() as engine:
        if paused.workflow_key is not None and not await pauses.has_workflow(engine, paused):
            raise click.ClickException(
                f"{_describe(paused)}: no workflow has this key; `xnovu workflows list` shows all"
            )
        if not await pausing.pause(engine, paused, reason=reason, actor=actor, ends_at=until):
            raise click.ClickException(
                "until: this time has passed by the database's clock; nothing was paused"
            )


async def _resume(paused: Paused, actor: str) -> Pause | None:
    async with database() as engine:
        return await pausing.resume(engine, paused, actor=actor)


async def _read() -> list[Pause]:
    async with database() as engine:
        return await pauses.read_all(engine)


def _print_list(found: list[Pause], *, as_json: bool) -> None:
    if as_json:
        print_json([_pause_to_json(pause) for pause in found])
        return
    rows = [
        (
            pause.paused.enterprise_id or "all",
            pause.paused.workflow_key or "all",
            format_time(pause.paused_at),
            format_time(pause.ends_at),
            pause.paused_by,
            pause.reason or NOTHING,
        )
        for pause in found
    ]
    print_table(("ENTERPRISE", "WORKFLOW", "SINCE", "UNTIL", "BY", "REASON"), rows)


def _describe(paused: Paused) -> str:
    enterprise = (
        None if paused.enterprise_id is None else f'enterprise "{escape_for_terminal(paused.enterprise_id)}"'
    )
    workflow = (
        None if paused.workflow_key is None else f'workflow "{escape_for_terminal(paused.workflow_key)}"'
    )
    return ", ".join(filter(None, (enterprise, workflow))) or "all notifications"


def _options(paused: Paused) -> str:
    """Return the options of `xnovu resume`, ready for a shell."""
    options = {"--enterprise": paused.enterprise_id, "--workflow": paused.workflow_key}
    return "".join(
        f" {option} {shlex.quote(escape_for_terminal(value))}" for option, value in options.items() if value
    )


def _to_json(paused: Paused) -> dict[str, object]:
    return {"enterprise_id": paused.enterprise_id, "workflow_key": paused.workflow_key}


def _pause_to_json(pause: Pause) -> dict[str, object]:
    return {
        **_to_json(pause.paused),
        "reason": pause.reason,
        "paused_by": pause.paused_by,
        "paused_at": format_iso(pause.paused_at),
        "ends_at": format_iso(pause.ends_at),
    }
