"""The second barrier: Mako's own lexer has to read the constructs as the fence has read them.

The lexer executes nothing. It sees each construct on a line of its own and no text: on text it may take quadratic time.
"""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from mako import parsetree
from mako.lexer import Lexer
from typing_extensions import override

from xnovu_poller.templates.language.scan import Control, Tag, Value
from xnovu_poller.templates.language.source import Source

Node = tuple[type[parsetree.Node], tuple[Any, ...]]
"""A class of Mako's nodes, and the facts that the lexer found."""


def check_with_mako(source: Source, constructs: Sequence[Value | Control | Tag]) -> None:
    """Compare Mako's nodes with the constructs.

    Raises:
        TemplateUnsafe: Mako reads something else there, or cannot parse it.
    """
    lexer = _Lexer("\n".join(map(_spell, constructs)))
    try:
        lexer.parse()
    except Exception as error:  # noqa: BLE001 - any error of a foreign parser means that it did not understand the text
        line = min(getattr(error, "lineno", None) or len(constructs), len(constructs))
        raise source.refuse(constructs[line - 1].at, "it cannot be parsed; check how it is spelled") from None
    for line, construct in enumerate(constructs, start=1):
        if lexer.found.pop(line, None) != _expect(construct):
            raise source.refuse(construct.at, "Mako reads it in another way; write it more simply")


class _Lexer(Lexer):  # type: ignore[misc] # Mako has no types
    """Mako's lexer, which keeps what it finds instead of parsing the Python in it; `expressions` does that."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.found: dict[int, Node] = {}

    @override
    def append_node(self, nodecls: type[parsetree.Node], *args: Any, lineno: int = 0, pos: int = 0) -> None:
        if nodecls is parsetree.Text and args == ("\n",):
            return
        line = lineno or self.matched_lineno
        # Two nodes of a line are none of ours.
        self.found[line] = (parsetree.Node, ()) if line in self.found else (nodecls, args)
        if nodecls is parsetree.Tag:
            self.tag.append(SimpleNamespace(keyword=args[0]))
        elif nodecls is parsetree.ControlLine:
            self._follow(*args)

    def _follow(self, keyword: str, is_end: bool, _text: str) -> None:  # noqa: FBT001 - Mako's arguments
        if is_end:
            self.control_line.pop()
        elif keyword in {"if", "for"}:
            self.control_line.append(SimpleNamespace(keyword=keyword))


def _spell(construct: Value | Control | Tag) -> str:
    """Return a construct as Mako spells it, in one line."""
    match construct:
        case Value(expression=expression, filters=filters):
            return f"${{{expression.text}{'' if filters is None else '|' + filters.text}}}"
        case Control():
            return f"% {_spell_line(construct)}"
        case Tag(name="endblock"):
            return "</%block>"
        case Tag(name=name, attributes=attributes):
            inside = "".join(f" {key}={_quote(code.text)}" for key, code in attributes.items())
            return f"<%{name}{inside}{'' if name == 'block' else '/'}>"


def _spell_line(control: Control) -> str:
    words = [control.keyword, *([control.name, "in"] if control.name else [])]
    if control.expression is not None:
        words.append(control.expression.text.strip())
    return " ".join(words) + ("" if control.keyword.startswith("end") else ":")


def _quote(text: str) -> str:
    return f"'{text}'" if '"' in text else f'"{text}"'


def _expect(construct: Value | Control | Tag) -> Node | None:
    """Return the node that Mako has to find; None for the end of a tag, for which it has none."""
    match construct:
        case Value(expression=expression, filters=filters):
            return parsetree.Expression, (expression.text, "" if filters is None else filters.text.strip())
        case Control(keyword=keyword):
            is_end = keyword.startswith("end")
            return parsetree.ControlLine, (keyword.removeprefix("end"), is_end, _spell_line(construct))
        case Tag(name="endblock"):
            return None
        case Tag(name=name, attributes=attributes):
            return parsetree.Tag, (name, {key: code.text for key, code in attributes.items()})
