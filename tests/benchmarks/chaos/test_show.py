from collections import Counter

from rich.console import Console

from benchmarks.chaos.recovery import Recoveries
from benchmarks.chaos.schedule import Kind
from benchmarks.chaos.show import MOST_FAULTS, sentence, tables
from benchmarks.chaos.soak import Account
from benchmarks.chaos.verdict import Verdict


def verdict(*, lost: tuple[str, ...] = (), duplicates: tuple[str, ...] = ()) -> Verdict:
    """Return a verdict on 900 notifications."""
    return Verdict(
        rows=900,
        deliveries=4500,
        repeats=2,
        claims=1000,
        states=Counter({("SENT", ""): 898, ("DEAD", "poison"): 1, ("RETRACTED", "[expired]"): 1}),
        lost=lost,
        duplicates=duplicates,
        untrue=(),
        unsettled=(),
        held=(),
    )


def shown(*, width: int = 80) -> str:
    """Return the printed account."""
    account = Account(
        verdict(lost=("a", "b")),
        {kind: Recoveries((1.0, 3.0), unseen=1) for kind in Kind} | {Kind.SLOW: Recoveries((), unseen=2)},
        undisturbed=14.94,
        replays=7,
        bulks=31,
        group_size=100,
        unasked=0,
    )
    console = Console(width=width, highlight=False)
    with console.capture() as capture:
        console.print(tables(account), soft_wrap=True)
    return capture.get()


def cells(text: str) -> dict[str, list[str]]:
    """Read the tables as Markdown does: first cell → other cells."""
    rows = [
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in text.splitlines()
        if "|" in line
    ]
    return {first: others for first, *others in rows}


def test_each_kind_has_a_line_with_its_recoveries() -> None:
    """Unmeasured recoveries are only counted, and no line is broken at 80 columns."""
    lines = cells(shown())

    assert lines[Kind.WORKER_KILLED] == ["3", "2", "2.0 s", "3.0 s"]
    assert lines[Kind.SLOW] == ["2", "0", "-", "-"]
    assert set(Kind) <= lines.keys()


def test_the_deciding_counts_are_shown() -> None:
    """The total is shown beside them."""
    lines = cells(shown())

    assert lines["notifications committed"] == ["900"]
    assert lines["**lost**"] == ["2"]
    assert lines["**duplicates**"] == ["0"]
    assert lines["groups of up to 100 that a call sent"] == ["31"]


def test_states_are_shown_with_their_reasons() -> None:
    """Text of a row is not read as markup."""
    lines = cells(shown())

    assert lines["SENT"] == ["898"]
    assert lines["DEAD (poison)"] == ["1"]
    assert lines["RETRACTED ([expired])"] == ["1"]


def test_the_legend_names_the_measure_of_recovery() -> None:
    """A number without its measure has no meaning."""
    assert "90% of the 14.9 triggers per second" in shown()


def test_the_sentence_names_the_broken_promises() -> None:
    """The first faults are listed; the rest are counted."""
    assert "kept" in sentence(verdict())
    broken = sentence(verdict(lost=("x was lost",), duplicates=tuple(map(str, range(MOST_FAULTS)))))
    assert "broken" in broken
    assert "x was lost" in broken
    assert "and 1 more" in broken
