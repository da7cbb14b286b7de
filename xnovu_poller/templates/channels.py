"""The format of each channel's text: escaped or plain, and its longest length.

Values are HTML-escaped where HTML is shown: in mail, and in the inbox if the template's row has that format. A subject is
plain text on one line on every channel, so that no value of a payload can start a mail header. Lengths are after escaping:
in characters, and where a channel counts otherwise, in its own unit too.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from xnovu_poller.errors import TemplateFailed
from xnovu_poller.lifecycle import Channel
from xnovu_poller.templates.segments import count_segments


@dataclass(frozen=True, slots=True)
class TextFormat:
    """The format of a part of a rendered notification.

    Attributes:
        html: values are HTML-escaped; the template's own text is not.
        limit: the most characters; a longer text is a failure, because half a message may mean the opposite.
        source: the most characters of a template's text, and of each of its layouts and partials.
    """

    html: bool
    limit: int
    source: int = 65_536


@dataclass(frozen=True, slots=True)
class Rendered:
    """The text for a channel; it is sent as `payload.xnovu.rendered.<channel>`.

    Attributes:
        text: of a mail, its body without HTML; otherwise None.
    """

    subject: str | None
    body: str
    text: str | None = None


SUBJECT = TextFormat(html=False, limit=998)
"""Source: RFC 5322, 2.1.1: a line has at most 998 characters."""

BODIES: Mapping[Channel, TextFormat] = MappingProxyType(
    {
        Channel.EMAIL: TextFormat(html=True, limit=524_288, source=262_144),
        Channel.IN_APP: TextFormat(html=False, limit=10_240),
        Channel.SMS: TextFormat(html=False, limit=1_530),
        Channel.CHAT: TextFormat(html=False, limit=4_000),
        # All that travels with it counts as well: see PUSH_BYTES.
        Channel.PUSH: TextFormat(html=False, limit=4_000),
    }
)
"""The format of the body on each channel."""

MOST_SEGMENTS = 10
"""The most segments of a text message."""

MOST_MAIL_BYTES = 524_288
"""The largest mail: all of Novu's event has no more."""

# Novu's renderer ends at them; they have no meaning in any text.
_UNPRINTABLE = bytes({*range(0x20)} - {*b"\t\n\r"})
_AS_SPACES = str.maketrans(dict.fromkeys(_UNPRINTABLE, " "))

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def join_lines(subject: str) -> str:
    """Return a subject as one line: each run of line ends and other control characters becomes a space."""
    return _CONTROLS.sub(" ", subject).strip()


def finish(channel: Channel, body: str) -> str:
    """Return the body of a channel without control characters.

    Raises:
        TemplateFailed: it is too long in the channel's own unit.
    """
    if channel is Channel.SMS and (segments := count_segments(body)) > MOST_SEGMENTS:
        raise TemplateFailed(
            f"the body needs {segments} segments of SMS, more than {MOST_SEGMENTS}; shorten it"
        )
    encoded = body.encode()
    if channel is Channel.EMAIL and len(encoded) > MOST_MAIL_BYTES:
        raise TemplateFailed(f"the body has {len(encoded)} bytes, more than {MOST_MAIL_BYTES}; shorten it")
    # Nearly no text has one: the look at the bytes takes a tenth of a change of the text.
    return body if len(encoded.translate(None, _UNPRINTABLE)) == len(encoded) else body.translate(_AS_SPACES)
