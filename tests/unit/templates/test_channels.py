import pytest

from xnovu_poller.errors import TemplateFailed
from xnovu_poller.lifecycle import Channel
from xnovu_poller.templates.channels import BODIES, MOST_MAIL_BYTES, SUBJECT, finish, join_lines


def test_each_channel_has_its_own_form() -> None:
    """If you add a channel, define its length and its escaping."""
    assert set(BODIES) == set(Channel)


@pytest.mark.parametrize("channel", Channel)
def test_html_is_escaped_where_clients_show_html(channel: Channel) -> None:
    """Mail shows HTML; phones, chats and Novu's inbox would show the escapes."""
    assert BODIES[channel].html is (channel is Channel.EMAIL)


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


@pytest.mark.parametrize(
    ("channel", "text", "refusal"),
    [
        (Channel.SMS, "a" * 1_530, None),
        (Channel.SMS, "ą" * 670, None),
        (Channel.SMS, "ą" * 671, "needs 11 segments of SMS, more than 10"),
        (Channel.EMAIL, "ä" * (MOST_MAIL_BYTES // 2), None),
        (Channel.EMAIL, "ä" * (MOST_MAIL_BYTES // 2) + "a", "has 524289 bytes, more than 524288"),
        (Channel.CHAT, "ą" * 4_000, None),
    ],
)
def test_a_body_is_measured_in_the_unit_of_its_channel(
    channel: Channel, text: str, refusal: str | None
) -> None:
    """It is refused and never cut: half a message may mean the opposite."""
    if refusal is None:
        assert finish(channel, text) == text
    else:
        with pytest.raises(TemplateFailed, match=refusal):
            finish(channel, text)


def test_control_characters_become_blanks() -> None:
    """Novu's renderer fails at them; tabs and line ends have a meaning."""
    assert finish(Channel.CHAT, "a\x00b\x1bc\td\r\ne") == "a b c\td\r\ne"
