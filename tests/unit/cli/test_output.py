"""What commands print: a terminal obeys nothing in it."""

import pytest

from xnovu_poller.cli.output import escape_for_terminal


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("逃生演習, Übung", "逃生演習, Übung"),
        ("a\n7\tb", "a\\n7\\tb"),
        ("\x1b[2J\x9b31m", "\\u001b[2J\\u009b31m"),
        ("to \u202eevil", "to \\u202eevil"),
        ("x" * 3000, "x" * 1000 + "…"),
    ],
    ids=ascii,
)
def test_a_tenants_text_is_escaped_for_the_terminal(text: str, shown: str) -> None:
    """It is on one line, cut, and has no control characters."""
    assert escape_for_terminal(text) == shown
