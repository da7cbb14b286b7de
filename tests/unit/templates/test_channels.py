import pytest

from xnovu_poller.lifecycle import Channel
from xnovu_poller.templates.channels import BODIES, SUBJECT, join_lines


def test_each_channel_has_its_own_form() -> None:
    """If you add a channel, define its length and its escaping."""
    assert set(BODIES) == set(Channel)


@pytest.mark.parametrize("channel", Channel)
def test_html_is_escaped_where_clients_show_html(channel: Channel) -> None:
    """Mail and inbox show HTML; phones and chats would show the escapes."""
    assert BODIES[channel].html is (channel in {Channel.EMAIL, Channel.IN_APP})


def test_a_subject_is_plain_and_fits_one_header_line() -> None:
    """Clients show a subject as it is."""
    assert not SUBJECT.html
    assert SUBJECT.limit == 998


@pytest.mark.parametrize(
    ("subject", "line"),
    [
        ("Fire drill", "Fire drill"),
        ("Hi\r\nBcc: everyone", "Hi Bcc: everyone"),
        ("\n a\x0bb\x0cc\x1cd\x85e\u2028f\u2029g\x00h\x7fi\t\n", "a b c d e f g h i"),
        ("a  b\u00a0c \U0001f468\u200d\U0001f692", "a  b\u00a0c \U0001f468\u200d\U0001f692"),
        ("\n", ""),
    ],
)
def test_a_subject_becomes_one_line(subject: str, line: str) -> None:
    """No value can start a header of its own; spaces and emoji stay as they are."""
    assert join_lines(subject) == line
    assert len(join_lines(subject).splitlines()) <= 1
