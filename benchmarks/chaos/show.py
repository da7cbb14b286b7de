"""Shows an account to a person: tables that a README can take, then one sentence."""

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
"""So many are named; the rest is counted."""

NONE = "-"


def tables(account: Account) -> RenderableType:
    """Give faults with their recoveries, the ledger against the table, and the final states."""
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
    """Give what was injected, and how long it took to recover."""
    table = _table("fault", "injected", "recovered", "median", "longest")
    for kind, found in recoveries.items():
        seen = str(len(found.seconds))
        table.add_row(kind, str(found.injected), seen, _seconds(found.median), _seconds(found.longest))
    return table


def ledger(account: Account) -> Table:
    """Give the counts that decide, and those that tell how it was come by."""
    verdict = account.verdict
    table = _table("what was counted", "")
    for what, number in (
        ("notifications committed", verdict.rows),
        ("recipients reached", verdict.deliveries),
        ("**lost**", len(verdict.lost)),
        ("**duplicates**", len(verdict.duplicates)),
        ("states that are not true", len(verdict.untrue)),
        ("notifications not settled", len(verdict.unsettled)),
        ("leases left behind", len(verdict.held)),
        ("claims", verdict.claims),
        (f"groups of up to {account.group_size} that one call sent", account.bulks),
        ("repeats that Novu knew by their Idempotency-Key", account.replays),
        ("repeats that Novu knew by their transactionId", verdict.repeats),
        ("workers that ended without having been struck", account.unasked),
    ):
        table.add_row(what, str(number))
    return table


def states(found: Counter[tuple[str, str]]) -> Table:
    """Give the final states, with the reason where there is one."""
    table = _table("final state", "notifications")
    for (state, reason), number in sorted(found.items()):
        table.add_row(f"{state} ({escape(reason)})" if reason else state, str(number))
    return table


def sentence(verdict: Verdict) -> str:
    """Say whether the promise was kept, and if not, where it was not; in console markup."""
    if not verdict.faults:
        return "[green]The promise was kept[/]: nothing lost, nothing sent twice, nothing left behind."
    named = [f"  {escape(each)}" for each in verdict.faults[:MOST_FAULTS]]
    more = len(verdict.faults) - MOST_FAULTS
    return "\n".join(
        ["[red]The promise was broken[/]:", *named, *([f"  and {more} more"] if more > 0 else [])]
    )


def _legend(account: Account) -> str:
    return (
        f"Recovery: from the fault's beginning, its own duration included, until Novu again accepts {ENOUGH:.0%} of the"
        f" {account.undisturbed:.1f} triggers per second of before the first fault, counted over {WINDOW_SECONDS:.0f} s,"
        " and on average goes on to do so; 0.0 s: it never fell below. Whatever an earlier fault left behind counts too. What had not recovered when"
        f" the next fault came is in neither median nor longest; {NONE}: none had."
    )


def _table(first: str, *columns: str) -> Table:
    table = Table(box=box.MARKDOWN)
    table.add_column(first, no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _seconds(value: float | None) -> str:
    return NONE if value is None else f"{value:.1f} s"
