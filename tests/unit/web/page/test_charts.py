"""Charts as SVG."""

from datetime import UTC, datetime, timedelta

from xnovu_poller.web.page.charts import HEIGHT, WIDTH, Series, draw

END = datetime(2027, 3, 28, 12, tzinfo=UTC)
SPAN = timedelta(hours=6)


def at(minutes: int) -> datetime:
    """Return a time before the end."""
    return END - timedelta(minutes=minutes)


def test_a_chart_is_an_area_with_words_for_those_who_hear_it() -> None:
    """Its highest value touches the top; a minute without a count is zero."""
    drawn = draw("Sent <b>", [Series("sent", {at(180): 50.0})], end=END, span=SPAN, gaps=False)

    assert 'aria-label="Sent &lt;b&gt;, from 06:00 to 12:00 UTC, highest 50"' in drawn
    assert f"H{WIDTH // 2}V2.0" in drawn
    assert f"H{WIDTH // 2 + 1}V{HEIGHT}.0" in drawn
    assert "style=" not in drawn


def test_what_was_not_counted_is_a_gap() -> None:
    """A value is carried on for ten minutes, because a chore may count less often."""
    drawn = draw("Due", [Series("due", {at(300): 1.0, at(100): 1.0})], end=END, span=SPAN, gaps=True)

    assert drawn.count("M") == 2
    assert drawn.count("Z") == 2


def test_an_empty_chart_is_flat() -> None:
    """Before the first minute was counted."""
    assert draw("Sent", [Series("sent", {})], end=END, span=SPAN, gaps=True).count('d=""') == 1


def test_charts_that_are_compared_have_one_scale() -> None:
    """A point that is lower than the top edge stays below it."""
    drawn = draw("Due", [Series("due", {at(1): 5.0})], end=END, span=SPAN, gaps=False, least=10)

    assert f"V{HEIGHT - 5 / 10 * (HEIGHT - 2):.1f}" in drawn
    assert "highest 5" in drawn
