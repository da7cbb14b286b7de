"""The source of a template, and where something in it is refused."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from keyword import kwlist

from xnovu_poller.errors import TemplateUnsafe


@dataclass(frozen=True, slots=True)
class Code:
    """A piece of a source that holds an expression, or several.

    Attributes:
        at: where it begins in the source, in characters.
        text: as long as in the source, in one line; a key that is a word of Python's is hidden by letters.
        hidden: these keys, by where they end in the text.
    """

    at: int
    text: str
    hidden: Mapping[int, str] = field(default_factory=dict)


_KEYWORD = re.compile(rf"""("[^"]*"|'[^']*')|(\.[ \t]*)({"|".join(kwlist)})\b""")


def read_code(at: int, text: str) -> Code:
    """Return the code of an expression, so that Python's parser reads `order.from`."""
    hidden: dict[int, str] = {}

    def hide(found: re.Match[str]) -> str:
        if found[3] is None:
            return found[0]
        hidden[found.end()] = found[3]
        return found[2] + "k" * len(found[3])

    one_line = text.replace("\n", " ").replace("\t", " ")
    return Code(at, _KEYWORD.sub(hide, one_line), hidden)


# A constant need not end here, so that no text is read slowly; Python's parser refuses it then.
_JOINER = re.compile("""("(?:[^"\\\\]|\\\\.)*"?|'(?:[^'\\\\]|\\\\.)*'?)|[\u200c\u200d]""")


def find_joiner(text: str) -> int | None:
    """Return the place of a character that nobody sees, outside of constants; Python 3.13 reads names that have it."""
    return next((found.start() for found in _JOINER.finditer(text) if found[1] is None), None)


def is_name(text: str) -> bool:
    """Return whether a text is a name on each Python."""
    return text.isidentifier() and find_joiner(text) is None


class Source:
    """The text of a template.

    Args:
        text: what its author wrote.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._counted = (0, 1)

    def count_line(self, at: int) -> int:
        """Return the line of a place, from 1; places are asked for in their order, so that each line is counted once."""
        counted, line = self._counted if self._counted[0] <= at else (0, 1)
        line += self.text.count("\n", counted, at)
        self._counted = (at, line)
        return line

    def refuse(self, at: int, reason: str) -> TemplateUnsafe:
        """Return the refusal of what stands at a place.

        Args:
            at: the place, in characters.
            reason: the fact, and what to write instead.
        """
        line_start = self.text.rfind("\n", 0, at) + 1
        return TemplateUnsafe(self.text.count("\n", 0, at) + 1, at - line_start + 1, reason)
