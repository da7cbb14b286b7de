"""The segments of a text message."""

import pytest

from xnovu_poller.templates.segments import count_segments


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("é" * 306, 2),
        ("é" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("ą" * 70, 1),
        ("ą" * 71, 2),
        ("a" * 70 + "ą", 2),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
        ("a" * 1_530, 10),
        ("a" * 1_531, 11),
    ],
)
def test_a_text_is_counted_as_operators_count_it(text: str, count: int) -> None:
    """One character outside of GSM-7 makes all of them take sixteen bits."""
    assert count_segments(text) == count
