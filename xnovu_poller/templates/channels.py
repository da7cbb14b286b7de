"""The format of each channel's text: escaped or plain, and its longest length.

Values are HTML-escaped on channels that show HTML. A subject is plain text on one line on every channel,
so that no value of a payload can start a mail header. Lengths are in characters, after escaping.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from xnovu_poller.lifecycle import Channel


@dataclass(frozen=True, slots=True)
class TextFormat:
    """The format of a part of a rendered notification.

    Attributes:
        html: values are HTML-escaped; the template's own text is not.
        limit: the most characters; a longer text is a failure, because half a message may mean the opposite.
    """

    html: bool
    limit: int


@dataclass(frozen=True, slots=True)
class Rendered:
    """The text for a channel; it is sent as `payload.rendered.<channel>`."""

    subject: str | None
    body: str


SUBJECT = TextFormat(html=False, limit=998)
"""Source: RFC 5322, 2.1.1: a line has at most 998 characters."""

BODIES: Mapping[Channel, TextFormat] = MappingProxyType(
    {
        Channel.EMAIL: TextFormat(html=True, limit=102_400),
        Channel.IN_APP: TextFormat(html=True, limit=10_240),
        Channel.SMS: TextFormat(html=False, limit=1_600),  # ten segments
        Channel.CHAT: TextFormat(html=False, limit=4_000),
        Channel.PUSH: TextFormat(
            html=False, limit=4_000
        ),  # Apple and Google accept 4 KB, including their own fields
    }
)
"""The format of the body on each channel."""

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def join_lines(subject: str) -> str:
    """Return a subject as one line: each run of line ends and other control characters becomes a space."""
    return _CONTROLS.sub(" ", subject).strip()
