from datetime import UTC, datetime, timedelta
from io import StringIO

from rich.console import Console

from xnovu_poller.dev.demo.show import MOST_DIFFERENCES, render_tables, render_verdict
from xnovu_poller.dev.demo.tally import FoundRow, compare
from xnovu_poller.dev.sample.notifications import Label, notifications
from xnovu_poller.lifecycle import Status

PENDING = FoundRow(
    status=Status.PENDING, attempt=0, transaction_id="xn-1", due_at=datetime(2026, 3, 2, tzinfo=UTC)
)


def printed(*labels: Label, row: FoundRow | None = None) -> str:
    """Return the printed text for the sample notifications with these labels, all with the same row."""
    chosen = [each for each in notifications() if each.label in labels]
    console = Console(width=120, file=StringIO())
    made = compare([(each, row) for each in chosen], [])
    console.print(render_tables(made))
    console.print(render_verdict(made, timedelta(seconds=27)), soft_wrap=True)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_a_good_run_says_so() -> None:
    """It shows the special case, its state and the time it took."""
    text = printed(Label.DRAFT, row=PENDING)
    assert "a draft: stays pending, unclaimed" in text
    assert "Everything is as expected" in text
    assert "27 s" in text


def test_a_bad_run_names_what_differs() -> None:
    """The first differences are listed; the rest are counted."""
    text = printed(Label.IMMEDIATE)
    assert "Not as expected" in text
    assert text.count("must be SENT, is refused at insert") == MOST_DIFFERENCES
    assert "more" in text
