from xnovu_poller.rules.spec import Span


def test_a_span_includes_both_ends() -> None:
    """A step that misses the last number does not include it."""
    assert list(Span(1, 5).numbers) == [1, 2, 3, 4, 5]
    assert list(Span(1, 6, 2).numbers) == [1, 3, 5]
    assert list(Span(7, 7).numbers) == [7]
