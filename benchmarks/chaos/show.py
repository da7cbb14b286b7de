"""Show an account to a person: Markdown tables, then a sentence."""

from collections import Counter
from collections.abc import Mapping

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from benchmarks.chaos.recovery import ENOUGH, WINDOW_SECONDS, Recoveries
from benchmarks.chaos.schedule import Kind
from benchmarks.chaos.soak import Account
from benchmarks.chaos.verdict import Verdict

MOST_FAULTS = 20
"""Name this many faults, and count the rest."""

NONE = "-"


def tables(account: Account) -> RenderableType:
    """Return the faults with their recoveries, the counts, and the final states."""
    return Group(
        "",
        faults(account.recoveries),
        _legend(account),
        "",
        ledger(account),
        "",
        states(account.verdict.states),
        "",
    )


def faults(recoveries: Mapping[Kind, Recoveries]) -> Table:
    """Return the injected faults, and how long the recoveries took."""
    table = _table("fault", "injected", "recovered", "median", "longest")
    for kind, found in recoveries.items():
        seen = str(len(found.seconds))
        table.add_row(kind, str(found.injected), seen, _seconds(found.median), _seconds(found.longest))
    return table


def ledger(account: Account) -> Table:
    """Return the counts that decide, and the counts that explain them."""
    verdict = account.verdict
    table = _table("count", "")
    for what, number in (
        ("notifications committed", verdict.rows),
        ("recipients reached", verdict.deliveries),
        ("**lost**", len(verdict.lost)),
        ("**duplicates**", len(verdict.duplicates)),
        ("states that are not true", len(verdict.untrue)),
        ("notifications not settled", len(verdict.unsettled)),
        ("leases left behind", len(verdict.held)),
        ("claims", verdict.claims),
        (f"groups of up to {account.group_size} that a call sent", account.bulks),
        ("repeats that Novu knew by their Idempotency-Key", account.replays),
        ("repeats that Novu knew by their transactionId", verdict.repeats),
        ("workers that ended without having been struck", account.unasked),
    ):
        table.add_row(what, str(number))
    return table


def states(found: Counter[tuple[str, str]]) -> Table:
    """Return the final states, each with its reason if it has a reason."""
    table = _table("final state", "notifications")
    for (state, reason), number in sorted(found.items()):
        table.add_row(f"{state} ({escape(reason)})" if reason else state, str(number))
    return table


def sentence(verdict: Verdict) -> str:
    """Return whether the promise was kept, and all faults if it was not, in console markup."""
    if not verdict.faults:
        return "[green]The promise was kept[/]: nothing lost, nothing sent twice, nothing left behind."
    named = [f"  {escape(each)}" for each in verdict.faults[:MOST_FAULTS]]
    more = len(verdict.faults) - MOST_FAULTS
    return "\n".join(
        ["[red]The promise was broken[/]:", *named, *([f"  and {more} more"] if more > 0 else [])]
    )


def _legend(account: Account) -> str:
    return (
        "Recovery: the time from the beginning of the fault, including its duration, until Novu again accepts"
        f" {ENOUGH:.0%} of the {account.undisturbed:.1f} triggers per second before the first fault, counted over"
        f" {WINDOW_SECONDS:.0f} s, and on average continues to do so. 0.0 s: throughput never fell below that. The effects"
        " of an earlier fault count too. If a fault had not recovered when the next fault came, it is not included in the"
        f" median and the longest. {NONE}: none had recovered."
    )


def _table(first: str, *columns: str) -> Table:
    table = Table(box=box.MARKDOWN)
    table.add_column(first, no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _seconds(value: float | None) -> str:
    return NONE if value is None else f"{value:.1f} s"
