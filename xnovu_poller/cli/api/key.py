"""`xnovu api key`: make, list and revoke the keys of the API."""

import asyncio
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from xnovu_poller.cli.connect import database
from xnovu_poller.cli.notification.choice import LAST_YEAR, parse_text
from xnovu_poller.cli.output import NOTHING, escape_for_terminal, json_option, print_json, print_table
from xnovu_poller.cli.rules.output import format_iso, format_time
from xnovu_poller.store import api_keys
from xnovu_poller.store.api_keys import ApiKey, Scope

_UNITS = {"h": "hours", "d": "days"}


def _parse_scopes(_context: click.Context, _option: click.Parameter, value: str) -> tuple[Scope, ...]:
    names = [name.strip() for name in value.split(",")]
    if not set(names) <= set(Scope):
        raise click.BadParameter(f"it is a list of {', '.join(Scope)}, separated by commas")
    return tuple(scope for scope in Scope if scope in names)


def _parse_end(_context: click.Context, _option: click.Parameter, value: str | None) -> datetime | None:
    if value is None:
        return None
    age = re.fullmatch(r"([0-9]{1,5})([hd])", value)
    try:
        at = (
            datetime.now(UTC) + timedelta(**{_UNITS[age[2]]: int(age[1])})
            if age
            else datetime.fromisoformat(value)
        )
    except ValueError:
        at = None
    if at is None or at.tzinfo is None or at.year > LAST_YEAR:
        raise click.BadParameter(f"{value!r} is neither an age such as 90d or 12h, nor a time with an offset")
    return at


def _parse_name(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    if value is not None and (not parse_text(value).strip() or len(value.encode()) > 255 or "\0" in value):  # noqa: PLR2004 - as the table has it
        raise click.BadParameter("it is blank, has more than 255 bytes or a NUL character")
    return value


@click.group
def key() -> None:
    """Make, list and revoke the keys of the API, with the login of a worker."""


@key.command
@click.option("--enterprise", metavar="ID", required=True, callback=_parse_name, help="For which it acts.")
@click.option(
    "--scope",
    "scopes",
    metavar="A,B",
    required=True,
    callback=_parse_scopes,
    help="What it may do: send, read, operate.",
)
@click.option("--expires", metavar="AGE|TIME", callback=_parse_end, help="When it ends: 90d, 12h, or a time.")
@click.option("--name", metavar="TEXT", default="key", callback=_parse_name, help="Who has it.")
@json_option
def create(
    enterprise: str, scopes: Sequence[Scope], expires: datetime | None, name: str, *, as_json: bool
) -> None:
    """Make a key, and print it. It is shown only now: the database keeps its hash.

    \b
    Example:
        xnovu api key create --enterprise acme --scope send,read --expires 90d --name shop
    """  # noqa: D301 - Click reads the backspace as "do not wrap this paragraph"
    made = asyncio.run(_create(enterprise, scopes, expires, name))
    if made is None:
        raise click.ClickException("key: its end has passed, so none was made")
    if as_json:
        print_json(
            {
                "key": made,
                "prefix": api_keys.prefix_of(made),
                "enterprise_id": enterprise,
                "scopes": list(scopes),
                "expires_at": format_iso(expires),
            }
        )
        return
    click.echo(made)
    click.echo("Keep it now: it is not shown again.", err=True)


async def _create(
    enterprise: str, scopes: Sequence[Scope], expires: datetime | None, name: str
) -> str | None:
    async with database() as engine:
        return await api_keys.create(engine, enterprise, name, scopes, expires)


@key.command("list")
@click.option("--enterprise", metavar="ID", callback=_parse_name, help="Only of this enterprise.")
@json_option
def list_(enterprise: str | None, *, as_json: bool) -> None:
    """List the keys by their prefixes, the oldest first; also those that have expired or are revoked."""
    keys = asyncio.run(_list(enterprise))
    if as_json:
        print_json({"keys": [_to_json(each) for each in keys]})
    elif keys:
        now = datetime.now(UTC)
        print_table(
            ("PREFIX", "ENTERPRISE", "NAME", "SCOPES", "CREATED", "LAST USED", "STATE"),
            [
                (
                    each.prefix,
                    each.enterprise_id,
                    each.name,
                    ",".join(each.scopes),
                    format_time(each.created_at),
                    format_time(each.last_used_at) if each.last_used_at else NOTHING,
                    _describe(each, now),
                )
                for each in keys
            ],
        )
    else:
        click.echo("There is no key.", err=True)


async def _list(enterprise: str | None) -> list[ApiKey]:
    async with database() as engine:
        return await api_keys.list_all(engine, enterprise)


def _describe(each: ApiKey, now: datetime) -> str:
    if each.revoked_at is not None:
        return f"revoked {format_time(each.revoked_at)}"
    if each.expires_at is None:
        return "valid"
    return f"{'expired' if each.expires_at <= now else 'valid until'} {format_time(each.expires_at)}"


def _to_json(each: ApiKey) -> dict[str, Any]:
    return {
        "prefix": each.prefix,
        "enterprise_id": each.enterprise_id,
        "name": each.name,
        "scopes": list(each.scopes),
        "created_at": format_iso(each.created_at),
        "created_by": each.created_by,
        "expires_at": format_iso(each.expires_at),
        "last_used_at": format_iso(each.last_used_at),
        "revoked_at": format_iso(each.revoked_at),
    }


@key.command
@click.argument("prefix", metavar="PREFIX")
def revoke(prefix: str) -> None:
    """Revoke a key from now on. PREFIX is what `list` shows, or the whole key."""
    enterprise = asyncio.run(_revoke(api_keys.prefix_of(prefix)))
    if enterprise is None:
        raise click.ClickException("key: none has this prefix; see: xnovu api key list")
    click.echo(f'The key of enterprise "{escape_for_terminal(enterprise)}" is revoked.')


async def _revoke(prefix: str) -> str | None:
    async with database() as engine:
        return await api_keys.revoke(engine, prefix)
