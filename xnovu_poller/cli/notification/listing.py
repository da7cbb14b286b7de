"""`xnovu notification list`: the newest notifications, by filters."""

import asyncio
from typing import Any

import click

from xnovu_poller.cli.connect import database
from xnovu_poller.cli.notification.choice import choose_by_filters, parse_moment
from xnovu_poller.cli.output import NOTHING, json_option, print_json, print_table
from xnovu_poller.cli.rules.output import format_iso, format_time
from xnovu_poller.lifecycle import Status
from xnovu_poller.store.notifications.filters import Filters
from xnovu_poller.store.notifications.listing import Listed, Listing, Position, list_page

MOST_LISTED = 1000
_WIDEST = 80


def parse_position(value: str) -> Position:
    """Read where a list continues, as the command printed it."""
    at, _, id_ = value.rpartition(",")
    try:
        return Position(parse_moment(at), int(id_))
    except (ValueError, click.BadParameter):
        raise click.BadParameter("is not what `xnovu notification list` printed") from None


@click.command("list")
@choose_by_filters(tuple(Status), "all")
@click.option(
    "--limit", type=click.IntRange(1, MOST_LISTED), default=50, show_default=True, help="How many to list."
)
@click.option("--after", type=parse_position, metavar="TIME,ID", help="Continue a list where it ended.")
@json_option
def list_(filters: Filters, limit: int, after: Position | None, *, as_json: bool) -> None:
    """List notifications, the newest first.

    All filters must hold. Times are when a notification was inserted. TO is the first recipient. An index serves
    --enterprise, --state, --since and --until. The other filters are compared with each of these notifications, for ten
    seconds at most; then the list ends, and shows how to continue it.

    \b
    Example:
        xnovu notification list --state dead --since 24h
        xnovu notification list --enterprise acme --recipient user-17
    """  # noqa: D301 - Click reads the backspace as "do not wrap this paragraph"
    listing = asyncio.run(_read(filters, limit, after))
    if as_json:
        print_json(
            {
                "notifications": [_to_json(listed) for listed in listing.notifications],
                "after": _format_position(listing.after),
            }
        )
        return
    if listing.notifications:
        print_table(
            ("ID", "INSERTED", "ENTERPRISE", "WORKFLOW", "STATE", "TO", "WHY"),
            [_build_row(listed) for listed in listing.notifications],
            _WIDEST,
        )
    elif listing.after is None:
        click.echo("No notification matches these filters.", err=True)
    if listing.after is not None and len(listing.notifications) < limit:
        click.echo(
            f"Only {listing.compared:,} were compared in time; there may be more. Name an enterprise or a state.",
            err=True,
        )
    if listing.after is not None:
        click.echo(f"Continue with: --after {_format_position(listing.after)}", err=True)


async def _read(filters: Filters, limit: int, after: Position | None) -> Listing:
    async with database() as engine:
        return await list_page(engine, filters, limit, after)


def _format_position(at: Position | None) -> str | None:
    return None if at is None else f"{at.created_at.isoformat()},{at.id}"


def _build_row(listed: Listed) -> tuple[str, ...]:
    others = listed.recipient_count - 1
    return (
        str(listed.id),
        format_time(listed.created_at),
        listed.enterprise_id,
        listed.workflow_key or NOTHING,
        listed.status,
        f"{listed.recipient} +{others}" if others else listed.recipient,
        ": ".join(part for part in (listed.code, listed.message) if part),
    )


def _to_json(listed: Listed) -> dict[str, Any]:
    return {
        "id": listed.id,
        "created_at": format_iso(listed.created_at),
        "enterprise_id": listed.enterprise_id,
        "workflow_key": listed.workflow_key,
        "status": listed.status,
        "recipient": listed.recipient,
        "recipient_count": listed.recipient_count,
        "code": listed.code,
        "message": listed.message,
    }
