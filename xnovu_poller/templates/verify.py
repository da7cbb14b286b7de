"""The allow-list: what a tenant's template may say, and where it says anything else.

Mako has no sandbox: it runs code even when a template is only constructed. So a tenant's text is
read here, and never anywhere else, by Mako's lexer, which executes nothing. Two walls stand in line:

1. The fence, our own scan of the raw text, in linear time. Only text and short `${…}` on one line,
   with closed strings and brackets, pass it; tags, blocks, control lines and comments do not. It
   gives exact places, and it is what keeps Mako's lexer cheap: several of its patterns take
   quadratic time on text made for that (unclosed strings, `</%`, encoding comments).
2. The grammar: each node that the lexer found, and Python's own syntax tree of each expression,
   must be on the list below. Names are compared as Python reads them, after NFKC.

What comes out holds data only: literal text, and paths into the payload as tuples of keys. No source
code is made of a tenant's words; see `render.py` for how Mako is given the rest.

An expression is a path or a constant, or several of them joined by `or`, and filters after `|`:
`${building.name}`, `${items[0]["name"] or "your floor" | trim}`. Attributes are keys of the
payload, never of a Python object. As everywhere in Mako, a backslash before a newline joins two lines,
and `%%` at the start of a line stands for `%`.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from mako import parsetree
from mako.lexer import Lexer

from xnovu_poller.errors import TemplateUnsafe

MAX_SOURCE = 65_536
"""Characters of one template."""

MAX_EXPRESSIONS = 500
"""Expressions of one template."""

MAX_EXPRESSION = 500
"""Characters of one expression, braces included; it bounds nesting as well."""

MAX_NUMBER = 10**15
"""Numbers in expressions stay below this."""

FILTERS = frozenset({"h", "trim", "u"})
"""`h` escapes HTML, `u` makes a part of a URL, `trim` drops outer blanks; `n` (no escaping) is not here."""

MAGIC_NAMES = frozenset(
    {
        "UNDEFINED",
        "STOP_RENDERING",
        "caller",
        "capture",
        "context",
        "local",
        "loop",
        "next",
        "pageargs",
        "parent",
        "self",
    }
)
"""Names that Mako gives a meaning of its own. As keys (`payload.next`) they are plain data."""

_OPENING = re.compile(
    r"""
      \$\{                          # an expression
    | </?%                          # a tag, a block of Python, <%doc>, and their ends
    | ^[ \t]* (?: %(?!%) | \#\# )   # a control line, a comment
    | \A \#.*coding[:=]             # to Mako, an encoding comment, which it drops
    """,
    re.MULTILINE | re.VERBOSE,
)

_PLAIN = r"""[^"'\\{}()\[\]#\x00-\x1f\x7f]"""
_STRING = r""" "[^"\\\x00-\x1f\x7f]*+" | '[^'\\\x00-\x1f\x7f]*+' """
_INSIDE = re.compile(
    rf"(?: {_PLAIN} | {_STRING} | \[ (?: {_PLAIN} | {_STRING} )*+ \] )*+",
    re.VERBOSE,
)

_TRIPLED = re.compile(r"\"\"\"|'''")

_KINDS = {
    "<": "a tag or a block of Python",
    "%": "a control line",
    "#": "a comment",
}


Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that the template's author wrote down."""

    value: Scalar


@dataclass(frozen=True, slots=True)
class Path:
    """A walk through the payload: a name, then keys of objects and indexes of lists."""

    name: str
    keys: tuple[str | int, ...]

    def spelled(self, count: int | None = None) -> str:
        """Write the path as its author would, up to and with `count` keys (all of them if None)."""
        steps = (
            f".{key}" if isinstance(key, str) and key.isidentifier() else f"[{key!r}]"
            for key in self.keys[:count]
        )
        return self.name + "".join(steps)


@dataclass(frozen=True, slots=True)
class Text:
    """Words that are sent as they stand."""

    content: str


@dataclass(frozen=True, slots=True)
class Expression:
    """A place to fill.

    Attributes:
        line: where it stands, from 1.
        choices: the first that is there and not empty is taken; the last one anyway.
        filters: members of `FILTERS`, in the order in which they are applied.
    """

    line: int
    choices: tuple[Constant | Path, ...]
    filters: tuple[str, ...]


Piece = Text | Expression


@dataclass(frozen=True, slots=True)
class Verified:
    """A template that may be rendered, in order and as data."""

    pieces: tuple[Piece, ...]


def verify(source: str) -> Verified:
    """Read a template without running any of it.

    Args:
        source: the template, at most `MAX_SOURCE` characters.

    Returns:
        Its pieces, in order.

    Raises:
        TemplateUnsafe: at the first thing that is not allowed; nothing was executed.
    """
    _fence(source)
    return Verified(tuple(_pieces(_nodes(source))))


def _fence(source: str) -> None:
    """Let only text and small, closed expressions through, in time linear in the source."""
    if len(source) > MAX_SOURCE:
        raise TemplateUnsafe(1, 1, f"it is longer than {MAX_SOURCE} characters")
    count, at = 0, 0
    while opening := _OPENING.search(source, at):
        if opening.group() != "${":
            kind = _KINDS[opening.group().lstrip(" \t")[0]]
            raise _unsafe_at(source, opening.start(), f"{kind} is not allowed")
        count += 1
        if count > MAX_EXPRESSIONS:
            raise _unsafe_at(source, opening.start(), f"it has more than {MAX_EXPRESSIONS} expressions")
        at = _end_of_expression(source, opening.start())


def _end_of_expression(source: str, start: int) -> int:
    inside = _INSIDE.match(source, start + 2, start + MAX_EXPRESSION)
    stop = start + 2 if inside is None else inside.end()
    if stop == start + MAX_EXPRESSION:
        raise _unsafe_at(source, start, f"the expression is longer than {MAX_EXPRESSION} characters")
    if stop == len(source):
        raise _unsafe_at(source, start, "the expression is not closed")
    if source[stop] != "}":
        raise _unsafe_at(source, stop, f"{source[stop]!r} is not allowed, or not closed, in an expression")
    if tripled := _TRIPLED.search(source, start, stop):
        raise _unsafe_at(source, tripled.start(), "three quotes in a row are not allowed")
    return stop + 1


def _unsafe_at(source: str, at: int, reason: str) -> TemplateUnsafe:
    line_start = source.rfind("\n", 0, at) + 1
    return TemplateUnsafe(source.count("\n", 0, at) + 1, at - line_start + 1, reason)


def _nodes(source: str) -> list[parsetree.Node]:
    lexer = Lexer(source)
    try:
        return list(lexer.parse().nodes)
    except Exception as error:  # noqa: BLE001 - whatever a foreign parser raises, it did not understand the text
        line = getattr(error, "lineno", lexer.matched_lineno)
        column = getattr(error, "pos", lexer.matched_charpos)
        raise TemplateUnsafe(line, column, "it cannot be read as a template") from None


def _pieces(nodes: Iterable[parsetree.Node]) -> Iterator[Piece]:
    # `type() is`, for a node of a class that nobody has thought of must not pass as its parent.
    for is_text, run in groupby(nodes, lambda node: type(node) is parsetree.Text):
        if is_text:
            yield Text("".join(node.content for node in run))
        else:
            yield from map(_expression, run)


def _expression(node: parsetree.Node) -> Expression:
    if type(node) is not parsetree.Expression:
        raise TemplateUnsafe(node.lineno, node.pos, f"{type(node).__name__} is not allowed")
    indent = len(node.text) - len(node.text.lstrip())
    reader = _Reader(node.lineno, node.pos + len("${") + indent, node.text.strip())
    return Expression(node.lineno, reader.choices(), _filters(node))


def _filters(node: parsetree.Node) -> tuple[str, ...]:
    if not node.escapes:
        return ()
    names = tuple(name.strip() for name in node.escapes.split(","))
    # Each once: `u` again and again would make a value grow each time.
    if not FILTERS.issuperset(names) or len(set(names)) < len(names):
        column = node.pos + len("${") + len(node.text)
        allowed = ", ".join(sorted(FILTERS))
        raise TemplateUnsafe(node.lineno, column, f"only the filters {allowed} are allowed, each once")
    return names


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads one expression against the grammar.

    Attributes:
        line: where the expression stands, from 1.
        column: where its text begins, from 1.
        text: what stands between the braces, without outer blanks and filters.
    """

    line: int
    column: int
    text: str

    def choices(self) -> tuple[Constant | Path, ...]:
        """Read `a or b or …`."""
        try:
            tree = ast.parse(self.text, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise TemplateUnsafe(self.line, self.column, "it is not an expression") from None
        if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.Or):
            return tuple(self._choice(value) for value in tree.values)
        return (self._choice(tree),)

    def _choice(self, node: ast.expr) -> Constant | Path:
        if isinstance(node, ast.Constant | ast.UnaryOp):
            return Constant(self._constant(node))
        keys: list[str | int] = []
        while not isinstance(node, ast.Name):
            if isinstance(node, ast.Attribute):
                keys.append(self._attribute(node))
            elif isinstance(node, ast.Subscript):
                keys.append(self._key(node.slice))
            else:
                reason = f"{type(node).__name__} is not allowed, only paths and constants, joined by `or`"
                raise self._unsafe(node.col_offset, reason)
            node = node.value
        return Path(self._name(node), tuple(reversed(keys)))

    def _name(self, node: ast.Name) -> str:
        if node.id in MAGIC_NAMES or node.id.startswith("_"):
            raise self._unsafe(node.col_offset, "this name is not allowed")
        return node.id

    def _attribute(self, node: ast.Attribute) -> str:
        if node.attr.startswith("_"):
            raise self._unsafe(node.value.end_col_offset, "a key that begins with `_` is not allowed here")
        return node.attr

    def _key(self, node: ast.expr) -> str | int:
        key = self._constant(node)
        # `type() is`, for to Python `True` is a whole number.
        if type(key) is int or (type(key) is str and not key.startswith("__")):
            return key
        reason = "only a whole number, or a string that does not begin with `__`, is allowed in brackets"
        raise self._unsafe(node.col_offset, reason)

    def _constant(self, node: ast.expr) -> Scalar:
        if isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, bool | str)):
            return node.value
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -self._number(node.operand)
        return self._number(node)

    def _number(self, node: ast.expr) -> int | float:
        if not isinstance(node, ast.Constant):
            raise self._unsafe(node.col_offset, f"{type(node).__name__} is not allowed here")
        if not isinstance(node.value, int | float) or node.value >= MAX_NUMBER:
            raise self._unsafe(node.col_offset, "this constant is not allowed")
        return node.value

    def _unsafe(self, offset: int | None, reason: str) -> TemplateUnsafe:
        # Python counts columns in bytes of UTF-8.
        before = self.text.encode()[:offset].decode()
        return TemplateUnsafe(self.line, self.column + len(before), reason)
