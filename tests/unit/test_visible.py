"""Text of tenants is shown with every character that a reader would not see."""

import json

import pytest

from xnovu_poller.visible import make_visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Zürich 上海 👍", "Zürich 上海 👍"),
        ("a\x1b[2Jb", r"a\u001b[2Jb"),
        ("invoice\u202efdp.exe", r"invoice\u202efdp.exe"),
        ("\u2066a\u2069", r"\u2066a\u2069"),
        ("a\nb", r"a\nb"),
    ],
)
def test_what_cannot_be_seen_is_shown_as_an_escape(text: str, shown: str) -> None:
    """Letters of all scripts stay; characters that control a terminal or the direction of writing do not."""
    assert make_visible(text) == shown
    assert json.loads(f'"{make_visible(text)}"') == text


def test_named_characters_stay() -> None:
    """A line break may be wanted."""
    assert make_visible("a\nb\tc", "\n") == "a\nb\\tc"
