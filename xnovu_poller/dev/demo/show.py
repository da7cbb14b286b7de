"""Show the result of a demo to a person: tables, then one sentence."""

from datetime import timedelta

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from xnovu_poller.dev.demo.tally import Result, Tally, Waits
from xnovu_poller.dev.sample.notifications import Label

MOST_DIFFERENCES = 20
"""The sentence lists this many differences and counts the others."""

_REFUSED = "refused"
_ORDINARY = frozenset({Label.IMMEDIATE, Label.SCHEDULED})


def render_tables(tally: Tally) -> RenderableType:
    """Return tables of expected and found counts."""
    return Group("", _states(tally), _special_cases(tally), _deliveries(tally), _waits(tally))


def render_verdict(tally: Tally, took: timedelta) -> str:
    """Return one sentence, in console markup: all is well, or what differs."""
    differences = tally.differences
    seconds = f"{took.total_seconds():.0f} s"
    if not differences:
        reached = sum(result.reached.total() for result in tally.results)
        return (
            f"[green]Everything is as expected[/]: every notification is in its expected state, and all {reached} recipients"
            f" were reached exactly once. {tally.claims} claims, {seconds} in total."
        )
    listed = [f"  {escape(difference)}" for difference in differences[:MOST_DIFFERENCES]]
    more = len(differences) - MOST_DIFFERENCES
    return "\n".join(
        [
            f"[red]Not as expected[/], after {seconds}:",
            *listed,
            *([f"  and {more} more"] if more > 0 else []),
        ]
    )


def _states(tally: Tally) -> Table:
    table = _table("Notifications", "expected", "found")
    for state, counts in tally.states.items():
        table.add_row(state, *_compare(*counts))
    table.add_row("refused at insert", *_compare(*tally.refused))
    return table


def _special_cases(tally: Tally) -> Table:
    table = Table("Special cases", "found", box=box.SIMPLE_HEAD)
    for column in ("claims", "triggers", "reached"):
        table.add_column(column, justify="right")
    for result in tally.results:
        if result.sample.label not in _ORDINARY:
            table.add_row(*_special_case(result))
    return table


def _special_case(result: Result) -> list[str]:
    row, expected = result.row, result.sample.expected
    found = result.found or _REFUSED
    if row and row.reason:
        found += f" ({row.reason})"
    if not result.is_as_expected:
        found += f", not {expected or _REFUSED}"
    return [
        result.sample.label,
        _colour(escape(found), good=result.is_as_expected),
        str(row.attempt) if row else "",
        str(len(result.arrivals)),
        str(result.reached.total()),
    ]


def _deliveries(tally: Tally) -> Table:
    table = _table("Deliveries", "expected", "found")
    for channel, counts in tally.deliveries.items():
        table.add_row(channel, *_compare(*counts))
    return table


def _waits(tally: Tally) -> Table:
    table = _table("Time until Novu accepted", "count", "p50", "p99")
    for name, scheduled in (("since the insert", False), ("since the scheduled time", True)):
        table.add_row(name, *_wait(tally.waits(scheduled=scheduled)))
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title, box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, justify="right")
    return table


def _compare(expected: int, found: int) -> tuple[str, str]:
    return f"{expected}", _colour(f"{found}", good=expected == found)


def _colour(text: str, *, good: bool) -> str:
    return f"[{'green' if good else 'red'}]{text}[/]"


def _wait(waits: Waits | None) -> tuple[str, ...]:
    if waits is None:
        return "0", "", ""
    return f"{waits.count}", *(
        f"{wait / timedelta(milliseconds=1):.0f} ms" for wait in (waits.median, waits.p99)
    )
