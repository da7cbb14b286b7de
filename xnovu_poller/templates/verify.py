"""The allow-list: what a tenant's template may contain, and where a template violates it.

Mako has no sandbox: it runs code even when a template is only constructed. So only this file reads a
tenant's text, with Mako's lexer, which executes nothing. There are two barriers:

1. The fence, our own scan of the raw text in linear time. It passes only text and short `${…}` on one
   line with closed strings and brackets; it refuses tags, blocks, control lines and comments. It finds
   exact positions, and it keeps Mako's lexer fast: several of its patterns take quadratic time on text
   made for that (unclosed strings, `</%`, encoding comments).
2. The grammar: each node that the lexer found, and Python's syntax tree of each expression, must be on
   the list below. Names are compared as Python reads them, after NFKC.

The result is only data: literal text, and paths into the payload as tuples of keys. No source code is
built from a tenant's text; see `render.py`.

An expression is a path or a constant, or several of them joined by `or`, and filters after `|`:
`${building.name}`, `${items[0]["name"] or "your floor" | trim}`. Attributes are keys of the
payload, never of a Python object. As in all Mako templates, a backslash before a newline joins two
lines, and `%%` at the start of a line means `%`.
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
"""The most characters of a template."""

MAX_EXPRESSIONS = 500
"""The most expressions of a template."""

MAX_EXPRESSION = 500
"""The most characters of an expression, including braces; this limits nesting too."""

MAX_NUMBER = 10**15
"""Numbers in expressions must be below this."""

FILTERS = frozenset({"h", "trim", "u"})
"""`h` escapes HTML, `u` encodes for a URL, `trim` removes outer spaces; `n` (no escaping) is not allowed."""

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
"""Names with a special meaning in Mako. As keys (`payload.next`) they are plain data."""

_OPENING = re.compile(
    r"""
      \$\{                          # an expression
    | </?%                          # a tag, a block of Python, <%doc>, and their ends
    | ^[ \t]* (?: %(?!%) | \#\# )   # a control line, a comment
    | \A \#.*coding[:=]             # an encoding comment, which Mako drops
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
    """A constant in the template."""

    value: Scalar


@dataclass(frozen=True, slots=True)
class Path:
    """A path into the payload: a name, then keys of objects and indexes of lists."""

    name: str
    keys: tuple[str | int, ...]

    def to_source(self, count: int | None = None) -> str:
        """Return the path in the template's syntax, with its first `count` keys, or all if None."""
        steps = (
            f".{key}" if isinstance(key, str) and key.isidentifier() else f"[{key!r}]"
            for key in self.keys[:count]
        )
        return self.name + "".join(steps)


@dataclass(frozen=True, slots=True)
class Text:
    """Text that is sent unchanged."""

    content: str


@dataclass(frozen=True, slots=True)
class Expression:
    """A `${…}` to fill.

    Attributes:
        line: its line, from 1.
        choices: the first that exists and is not empty is used; otherwise the last.
        filters: members of `FILTERS`, in the order in which they apply.
    """

    line: int
    choices: tuple[Constant | Path, ...]
    filters: tuple[str, ...]


Piece = Text | Expression


@dataclass(frozen=True, slots=True)
class VerifiedTemplate:
    """A template that may be rendered, as data."""

    pieces: tuple[Piece, ...]


def verify(source: str) -> VerifiedTemplate:
    """Parse a template without executing it.

    Args:
        source: the template, at most `MAX_SOURCE` characters.

    Returns:
        Its pieces, in order.

    Raises:
        TemplateUnsafe: it uses something that is not allowed; names the first place. Nothing was executed.
    """
    _check_fence(source)
    return VerifiedTemplate(tuple(_to_pieces(_lex(source))))


def _check_fence(source: str) -> None:
    """Refuse everything but text and short, closed expressions, in time linear in the source."""
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
        at = _find_end(source, opening.start())


def _find_end(source: str, start: int) -> int:
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


def _lex(source: str) -> list[parsetree.Node]:
    lexer = Lexer(source)
    try:
        return list(lexer.parse().nodes)
    except Exception as error:  # noqa: BLE001 - any error of a foreign parser means that it did not understand the text
        line = getattr(error, "lineno", lexer.matched_lineno)
        column = getattr(error, "pos", lexer.matched_charpos)
        raise TemplateUnsafe(line, column, "it cannot be parsed as a template") from None


def _to_pieces(nodes: Iterable[parsetree.Node]) -> Iterator[Piece]:
    # `type() is` and not `isinstance`: a node of an unexpected subclass must not pass.
    for is_text, run in groupby(nodes, lambda node: type(node) is parsetree.Text):
        if is_text:
            yield Text("".join(node.content for node in run))
        else:
            yield from map(_to_expression, run)


def _to_expression(node: parsetree.Node) -> Expression:
    if type(node) is not parsetree.Expression:
        raise TemplateUnsafe(node.lineno, node.pos, f"{type(node).__name__} is not allowed")
    indent = len(node.text) - len(node.text.lstrip())
    reader = _Reader(node.lineno, node.pos + len("${") + indent, node.text.strip())
    return Expression(node.lineno, reader.read_choices(), _read_filters(node))


def _read_filters(node: parsetree.Node) -> tuple[str, ...]:
    if not node.escapes:
        return ()
    names = tuple(name.strip() for name in node.escapes.split(","))
    # Each only once, because `u` makes a value longer each time.
    if not FILTERS.issuperset(names) or len(set(names)) < len(names):
        column = node.pos + len("${") + len(node.text)
        allowed = ", ".join(sorted(FILTERS))
        raise TemplateUnsafe(node.lineno, column, f"only the filters {allowed} are allowed, each once")
    return names


@dataclass(frozen=True, slots=True)
class _Reader:
    """Parses an expression and checks it against the grammar.

    Attributes:
        line: the expression's line, from 1.
        column: the first column of its text, from 1.
        text: the text between the braces, without outer spaces and filters.
    """

    line: int
    column: int
    text: str

    def read_choices(self) -> tuple[Constant | Path, ...]:
        """Parse `a or b or …`."""
        try:
            tree = ast.parse(self.text, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise TemplateUnsafe(self.line, self.column, "it is not an expression") from None
        if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.Or):
            return tuple(self._read_choice(value) for value in tree.values)
        return (self._read_choice(tree),)

    def _read_choice(self, node: ast.expr) -> Constant | Path:
        if isinstance(node, ast.Constant | ast.UnaryOp):
            return Constant(self._read_constant(node))
        keys: list[str | int] = []
        while not isinstance(node, ast.Name):
            if isinstance(node, ast.Attribute):
                keys.append(self._read_attribute(node))
            elif isinstance(node, ast.Subscript):
                keys.append(self._read_key(node.slice))
            else:
                reason = f"{type(node).__name__} is not allowed, only paths and constants, joined by `or`"
                raise self._unsafe(node.col_offset, reason)
            node = node.value
        return Path(self._read_name(node), tuple(reversed(keys)))

    def _read_name(self, node: ast.Name) -> str:
        if node.id in MAGIC_NAMES or node.id.startswith("_"):
            raise self._unsafe(node.col_offset, "this name is not allowed")
        return node.id

    def _read_attribute(self, node: ast.Attribute) -> str:
        if node.attr.startswith("_"):
            raise self._unsafe(node.value.end_col_offset, "a key that begins with `_` is not allowed here")
        return node.attr

    def _read_key(self, node: ast.expr) -> str | int:
        key = self._read_constant(node)
        # A payload may have keys such as `_id`; in brackets a key is only ever looked up in data.
        # `type() is` and not `isinstance`, because `True` is an `int` in Python.
        if type(key) is int or (type(key) is str and not key.startswith("__")):
            return key
        reason = "only a whole number, or a string that does not begin with `__`, is allowed in brackets"
        raise self._unsafe(node.col_offset, reason)

    def _read_constant(self, node: ast.expr) -> Scalar:
        if isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, bool | str)):
            return node.value
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -self._read_number(node.operand)
        return self._read_number(node)

    def _read_number(self, node: ast.expr) -> int | float:
        if not isinstance(node, ast.Constant):
            raise self._unsafe(node.col_offset, f"{type(node).__name__} is not allowed here")
        if not isinstance(node.value, int | float) or node.value >= MAX_NUMBER:
            raise self._unsafe(node.col_offset, "this constant is not allowed")
        return node.value

    def _unsafe(self, offset: int | None, reason: str) -> TemplateUnsafe:
        # Python counts columns in bytes of UTF-8.
        before = self.text.encode()[:offset].decode()
        return TemplateUnsafe(self.line, self.column + len(before), reason)
