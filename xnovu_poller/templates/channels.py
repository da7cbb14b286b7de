"""How each channel wants its words: escaped or plain, and how long at most.

HTML is escaped where a client shows HTML. A subject is plain text on one line on every channel, so
that no value of a payload can begin a header of its own. Lengths are in characters, after escaping.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from xnovu_poller.lifecycle import Channel


@dataclass(frozen=True, slots=True)
class Manner:
    """What one part of a rendered notification has to keep to.

    Attributes:
        html: values are escaped; what the template's author wrote stands as it is.
        limit: characters at most; longer is a failure, for half a message may say the opposite.
    """

    html: bool
    limit: int


@dataclass(frozen=True, slots=True)
class Rendered:
    """What a person will read on one channel; it travels as `payload.rendered.<channel>`."""

    subject: str | None
    body: str


SUBJECT = Manner(html=False, limit=998)
"""Source: RFC 5322, 2.1.1: a line has at most 998 characters."""

BODIES: Mapping[Channel, Manner] = MappingProxyType(
    {
        Channel.EMAIL: Manner(html=True, limit=102_400),
        Channel.IN_APP: Manner(html=True, limit=10_240),
        Channel.SMS: Manner(html=False, limit=1_600),  # ten segments
        Channel.CHAT: Manner(html=False, limit=4_000),
        Channel.PUSH: Manner(
            html=False, limit=4_000
        ),  # Apple and Google take 4 KB, their own fields included
    }
)
"""What the body keeps to, for each channel."""

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def one_line(subject: str) -> str:
    """Give a subject as one line: each run of line ends and other controls becomes one blank."""
    return _CONTROLS.sub(" ", subject).strip()
