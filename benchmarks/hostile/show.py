"""Show the account of a siege: a Markdown table of the attacks, the rows by state, and a verdict."""

import math
from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from benchmarks.hostile.siege import Account, Slot

DELAY_SECONDS = 3.0
ANSWER_SECONDS = 1.0
RESIDENT_BYTES = 600_000_000
"""The targets: the 99th percentile of the victims' delays, the slowest answer of `/livez`, the memory of the worker."""

MOST_NAMED = 5
"""Name this many recipients, and count the rest."""


def tables(account: Account) -> RenderableType:
    """Return the attacks with what they did to the victims, and the final states."""
    return Group("", attacks(account.slots), "", states(account), "")


def attacks(slots: Sequence[Slot]) -> Table:
    """Return a line for each attack."""
    table = Table(box=box.MARKDOWN)
    table.add_column("what A does", no_wrap=True)
    for column in ("steps", "refused", "rows of B and C", "p50", "p99", "longest", "`/livez`", "memory"):
        table.add_column(column, justify="right", no_wrap=True)
    for slot in slots:
        table.add_row(
            slot.name,
            f"{slot.report.tried:,}",
            f"{slot.report.refused:,}",
            str(len(slot.delays)),
            seconds(percentile(slot.delays, 0.5)),
            seconds(percentile(slot.delays, 0.99)),
            seconds(max(slot.delays, default=0.0)),
            seconds(slowest(slot)),
            f"{largest(slot) / 1e6:.0f} MB",
        )
    return table


def states(account: Account) -> Table:
    """Return the final states of all rows."""
    table = Table(box=box.MARKDOWN)
    table.add_column("enterprise")
    table.add_column("final state")
    table.add_column("notifications", justify="right")
    for enterprise, state, reason, number in account.states:
        table.add_row(enterprise, f"{state} ({escape(reason)})" if reason else state, f"{number:,}")
    return table


def failures(account: Account) -> list[str]:
    """Return each target that was missed, as a sentence; none if all were met."""
    delays = [delay for slot in account.slots for delay in slot.delays]
    delay = percentile(delays, 0.99)
    answer = max(map(slowest, account.slots))
    resident = max(map(largest, account.slots))
    found = [f"{len(account.lost)} were not reached: {_some(account.lost)}"] if account.lost else []
    if account.duplicates:
        found.append(f"{len(account.duplicates)} were reached more than once: {_some(account.duplicates)}")
    found += [f"{slot.name}: the attack did not end" for slot in account.slots if not slot.report.ended]
    if delay > DELAY_SECONDS:
        found.append(f"B and C: the 99th percentile is {seconds(delay)}, the target {DELAY_SECONDS:g} s")
    if answer > ANSWER_SECONDS:
        found.append(f"/livez: the slowest answer took {seconds(answer)}, the target {ANSWER_SECONDS:g} s")
    if resident > RESIDENT_BYTES:
        found.append(f"memory: {resident / 1e6:.0f} MB, the target {RESIDENT_BYTES / 1e6:.0f} MB")
    if account.refused_inserts:
        found.append(f"{account.refused_inserts} inserts of B and C were refused")
    if account.restarts:
        found.append(f"the worker ended {account.restarts} times")
    return found


def sentence(account: Account) -> str:
    """Return the verdict, in console markup."""
    delays = [delay for slot in account.slots for delay in slot.delays]
    counts = (
        f"{len(delays)} notifications of B and C, p50 {seconds(percentile(delays, 0.5))},"
        f" p99 {seconds(percentile(delays, 0.99))}, longest {seconds(max(delays, default=0.0))};"
        f" lost {len(account.lost)}, sent twice {len(account.duplicates)}."
    )
    if found := failures(account):
        return "\n".join(["[red]A held up others[/]: " + counts, *(f"  {escape(each)}" for each in found)])
    return "[green]A held up nobody[/]: " + counts


def _some(recipients: Sequence[str]) -> str:
    return ", ".join(recipients[:MOST_NAMED]) + ("" if len(recipients) <= MOST_NAMED else ", …")


def percentile(delays: Sequence[float], share: float) -> float:
    """Return the smallest delay that at least this share of all does not exceed; 0 for none."""
    ordered = sorted(delays)
    return ordered[math.ceil(share * len(ordered)) - 1] if ordered else 0.0


def slowest(slot: Slot) -> float:
    """Return the slowest answer of `/livez`; infinite if one did not come."""
    return max((math.inf if look.answered is None else look.answered for look in slot.looks), default=0.0)


def largest(slot: Slot) -> int:
    """Return the most resident memory, in bytes."""
    return max((look.resident for look in slot.looks), default=0)


def seconds(value: float) -> str:
    """Return seconds for a table."""
    return "never" if math.isinf(value) else f"{value:.2f} s"
