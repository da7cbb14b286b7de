"""Expressions: Python's syntax tree, node by node on an allow-list, becomes functions of ours.

Python parses an expression and compiles nothing. A node that is not in `_NODES` is refused at its place. Names are
compared as Python reads them, after NFKC.
"""

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from keyword import kwlist
from typing import Any

from xnovu_poller.templates.language import operators
from xnovu_poller.templates.language.advice import CALLS, NODES, OF_LAYOUT, OPERATORS
from xnovu_poller.templates.language.paths import (
    length,
    path,
    path_of_item,
    path_of_variable,
    read_member,
    read_slice,
)
from xnovu_poller.templates.language.source import Code, Source, find_joiner
from xnovu_poller.templates.language.state import Read, State
from xnovu_poller.templates.language.values import Unfit

MAX_NUMBER = 10**15
"""Numbers in templates are below this."""

MAX_DEPTH = 30
"""The most operations inside each other."""

MAGIC_NAMES = frozenset(
    {
        "UNDEFINED", "STOP_RENDERING", "caller", "capture", "context", "local", "loop", "next", "pageargs", "parent",
        "self",
    }
)  # fmt: skip
"""Names with a meaning in Mako. As keys (`payload.next`) they are plain data."""

LOOP_KEYS = ("index", "first", "last")
"""The keys of `loop`."""


@dataclass(slots=True)
class Expression:
    """A compiler of one expression.

    Attributes:
        source: the template.
        code: the expression in it.
        loops: the names of the loops around it, from the outermost.
        cost: the steps that it takes once.
    """

    source: Source
    code: Code
    loops: Sequence[str] = ()
    cost: int = 0
    depth: int = field(default=0, init=False)

    def compile(self, *, lenient: bool = False) -> Read:
        """Return the reader of the expression.

        Args:
            lenient: a path that is missing is null, as in a condition.

        Raises:
            TemplateUnsafe: something in it is not allowed.
        """
        return self._compile(parse(self.source, self.code), lenient=lenient)

    def compile_arguments(self, call: ast.Call) -> tuple[list[ast.expr], dict[str, Read]]:
        """Return the arguments of a call by position and by name."""
        names: dict[str, Read] = {}
        for keyword in call.keywords:
            if keyword.arg is None or keyword.arg in names:
                raise self.refuse(keyword, "an argument has a name of its own; write `name=value`, each once")
            names[keyword.arg] = self._compile(keyword.value)
        return call.args, names

    def compile_names(self) -> dict[str, Read]:
        """Return the arguments of `as_call`; all have names."""
        call = parse(self.source, self.code)
        positional, names = self.compile_arguments(call) if isinstance(call, ast.Call) else ([call], {})
        if positional:
            raise self.refuse(positional[0], 'arguments have names; write args="name=value"')
        return names

    def compile_node(self, node: ast.expr) -> Read:
        """Return the reader of a part of the expression."""
        return self._compile(node)

    def refuse(self, node: ast.expr | ast.keyword, reason: str) -> Exception:
        """Return the refusal of a node at its place."""
        return self.source.refuse(self.code.at + self._offset(node.col_offset), reason)

    def _offset(self, column: int | None) -> int:
        # Python counts bytes of UTF-8, and `parse` has put a bracket before the text.
        return len(self.code.text.encode()[: (column or 1) - 1].decode(errors="ignore"))

    def _compile(self, node: ast.expr, *, lenient: bool = False) -> Read:
        self.cost += 1
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.refuse(node, f"more than {MAX_DEPTH} operations are inside each other; use fewer")
        compile_it = _NODES.get(type(node))
        if compile_it is None:
            raise self.refuse(node, NODES.get(type(node), f"{type(node).__name__} is not allowed; remove it"))
        read = compile_it(self, node, lenient)
        self.depth -= 1
        return read

    def constant(self, node: ast.Constant, lenient: bool) -> Read:  # noqa: ARG002, FBT001 - all of the table are alike
        """Compile a text, a number, true, false or null."""
        value = self.read_constant(node)
        return lambda state: value  # noqa: ARG005 - a reader takes the state

    def read_constant(self, node: ast.expr) -> str | int | Decimal | bool | None:
        """Return the value of a constant."""
        if (
            isinstance(node, ast.UnaryOp)
            and isinstance(node.op, ast.USub)
            and isinstance(node.operand, ast.Constant)
        ):
            number = self.read_constant(node.operand)
            if isinstance(number, int | Decimal) and not isinstance(number, bool):
                return -number
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str | int | float | bool | None):
            raise self.refuse(node, "only a text in quotes, a number, True, False or None is a constant")
        if isinstance(node.value, float):
            return self._read_decimal(node)
        if type(node.value) is int and node.value >= MAX_NUMBER:
            raise self.refuse(node, f"numbers are below {MAX_NUMBER}; put a greater number into the payload")
        return node.value

    def _read_decimal(self, node: ast.Constant) -> Decimal:
        text = self.code.text.encode()[node.col_offset - 1 : (node.end_col_offset or 1) - 1].decode()
        if not text.replace(".", "").isdecimal() or float(text) >= MAX_NUMBER:
            raise self.refuse(node, f"numbers are below {MAX_NUMBER} and have no exponent; write 0.5 or 1000")
        return Decimal(text)

    def member(self, node: ast.expr, lenient: bool) -> Read:  # noqa: FBT001 - all of the table are alike
        """Compile a name, or a member of a value."""
        keys: list[str | int] = []
        base = node
        while (key := self._constant_key(base)) is not None:
            keys.append(key)
            base = base.value  # type: ignore[attr-defined] # only nodes with a value have keys
        self.cost += len(keys)
        keys.reverse()
        if isinstance(base, ast.Name):
            return self._named(base, tuple(keys), lenient=lenient)
        if keys:
            return path("(…)", tuple(keys), self._compile_base(base), lenient=lenient)
        return self._subscript(base, lenient=lenient)

    def _compile_base(self, node: ast.expr) -> Read:
        if isinstance(node, ast.Constant | ast.JoinedStr | ast.Call):
            raise self.refuse(node, "only values of the payload have keys; write a path")
        return self._compile(node)

    def _constant_key(self, node: ast.expr) -> str | int | None:
        """Return the key of a node if it is constant, otherwise None."""
        if isinstance(node, ast.Attribute):
            end = self._offset(node.end_col_offset)
            if node.attr.startswith("_"):
                at = self.code.at + end - len(node.attr)
                raise self.source.refuse(at, "a key that begins with `_` stands in brackets; write ['_key']")
            return self.code.hidden.get(end, node.attr)
        if isinstance(node, ast.Subscript) and _is_constant(node.slice):
            key = self.read_constant(node.slice)
            # `type() is` and not `isinstance`, because `True` is an `int` in Python.
            if type(key) is int or (type(key) is str and not key.startswith("__")):
                return key
            reason = "a key is a whole number, or a text that does not begin with `__`"
            raise self.refuse(node.slice, reason)
        return None

    def _subscript(self, node: ast.expr, *, lenient: bool) -> Read:
        """Compile `x[key]` or `x[start:stop]`, whose key or bounds are expressions."""
        if not isinstance(node, ast.Subscript):
            raise self.refuse(node, f"{type(node).__name__} is not allowed; remove it")
        value = self._compile_base(node.value) if not lenient else self._compile(node.value, lenient=True)
        if isinstance(node.slice, ast.Slice):
            return self._slice(value, node.slice)
        key = self._compile(node.slice)

        def read(state: State) -> Any:  # noqa: ANN401 - any value of JSON
            try:
                return read_member(state, value(state), key(state))
            except LookupError:
                if lenient:
                    return None
                raise Unfit(
                    "a key or an index in brackets is missing; ask with `in`, or write `or '…'`"
                ) from None

        return read

    def _slice(self, value: Read, node: ast.Slice) -> Read:
        if node.step is not None:
            raise self.refuse(node.step, "a slice has no step; write [start:stop]")
        start, stop = (
            (lambda state: None) if bound is None else self._compile(bound)  # noqa: ARG005 - a reader takes the state
            for bound in (node.lower, node.upper)
        )
        return lambda state: read_slice(state, value(state), start(state), stop(state))

    def _named(self, node: ast.Name, keys: tuple[str | int, ...], *, lenient: bool) -> Read:
        name = node.id
        if name in self.loops:
            place = 3 * (len(self.loops) - 1 - self.loops[::-1].index(name))
            return path_of_item(name, keys, place, lenient=lenient)
        if name == "loop" and self.loops:
            return self._loop(node, keys)
        if name in MAGIC_NAMES:
            raise self.refuse(node, f"the name has a meaning in Mako; write payload.{name}")
        if name.startswith("_"):
            raise self.refuse(node, f"a name that begins with `_` is not allowed; write payload['{name}']")
        return path_of_variable(name, keys, lenient=lenient)

    def _loop(self, node: ast.Name, keys: tuple[str | int, ...]) -> Read:
        place = 3 * (len(self.loops) - 1)
        match keys:
            case ("index",):
                return lambda state: state.frame[place + 1]
            case ("first",):
                return lambda state: state.frame[place + 1] == 0
            case ("last",):
                return lambda state: state.frame[place + 1] + 1 == state.frame[place + 2]
            case _:
                raise self.refuse(node, f"loop has {', '.join(LOOP_KEYS)}; write loop.index")

    def bool_op(self, node: ast.BoolOp, lenient: bool) -> Read:  # noqa: FBT001 - all of the table are alike
        """Compile `a and b`, `a or b`: as in Python, the value that decides."""
        last = len(node.values) - 1
        reads = [
            self._compile(value, lenient=lenient or number < last) for number, value in enumerate(node.values)
        ]
        return (operators.either if isinstance(node.op, ast.Or) else operators.both)(tuple(reads))

    def unary(self, node: ast.UnaryOp, lenient: bool) -> Read:  # noqa: ARG002, FBT001 - all of the table are alike
        """Compile `not a`, `-a`."""
        if isinstance(node.op, ast.Not):
            read = self._compile(node.operand, lenient=True)
            return lambda state: not read(state)
        if isinstance(node.op, ast.USub):
            number = self._compile(node.operand)
            return operators.minus(number)
        raise self.refuse(node, OPERATORS.get(type(node.op), "this operator is not allowed; remove it"))

    def condition(self, node: ast.IfExp, lenient: bool) -> Read:  # noqa: FBT001 - all of the table are alike
        """Compile `a if b else c`."""
        test = self._compile(node.test, lenient=True)
        yes = self._compile(node.body, lenient=lenient)
        no = self._compile(node.orelse, lenient=lenient)
        return lambda state: yes(state) if test(state) else no(state)

    def compare(self, node: ast.Compare, lenient: bool) -> Read:  # noqa: ARG002, FBT001 - all of the table are alike
        """Compile one comparison."""
        if len(node.ops) > 1:
            raise self.refuse(node, "only two values are compared; write `a < b and b < c`")
        compare = operators.COMPARISONS.get(type(node.ops[0]))
        if compare is None:
            raise self.refuse(node, OPERATORS.get(type(node.ops[0]), "this comparison is not allowed"))
        right = node.comparators[0]
        if isinstance(node.ops[0], ast.In | ast.NotIn) and isinstance(right, ast.List | ast.Tuple):
            items = tuple(self.read_constant(item) for item in right.elts)
            self.cost += len(items)
            return compare(self._compile(node.left), lambda state: items)  # noqa: ARG005 - a reader takes the state
        return compare(self._compile(node.left), self._compile(right))

    def binary(self, node: ast.BinOp, lenient: bool) -> Read:  # noqa: ARG002, FBT001 - all of the table are alike
        """Compile `a + b` and its like."""
        combine = operators.ARITHMETIC.get(type(node.op))
        if combine is None:
            raise self.refuse(node, OPERATORS.get(type(node.op), "this operator is not allowed; remove it"))
        sides = (node.left, node.right)
        if not isinstance(node.op, ast.Add) and any(
            isinstance(side, ast.Constant) and isinstance(side.value, str) for side in sides
        ):
            raise self.refuse(
                node, "text cannot be repeated or formatted; write it as often as it should be seen"
            )
        return combine(self._compile(node.left), self._compile(node.right))

    def call(self, node: ast.Call, lenient: bool) -> Read:  # noqa: ARG002, FBT001 - all of the table are alike
        """Compile `len(x)`, the only call."""
        match node:
            case ast.Call(func=ast.Name(id="len"), args=[value], keywords=[]) if not isinstance(
                value, ast.Starred
            ):
                read = self._compile(value)
                return lambda state: length(read(state))
            case ast.Call(func=ast.Attribute(value=ast.Name(id="self" | "next" | "parent"), attr=name)):
                raise self.refuse(node, f"{name}() of another template is not allowed; {OF_LAYOUT}")
            case ast.Call(func=ast.Name(id=name)) | ast.Call(func=ast.Attribute(attr=name)):
                advice = CALLS.get(name, "filters after | do what calls would do")
                raise self.refuse(node, f"{name}() is not allowed, the only call is len(x); {advice}")
            case _:
                raise self.refuse(node, "a call is not allowed, except len(x)")


def _is_constant(node: ast.expr) -> bool:
    return isinstance(node.operand if isinstance(node, ast.UnaryOp) else node, ast.Constant)


def as_call(code: Code) -> Code:
    """Return the arguments of a tag as a call, so that Python's parser reads them."""
    return Code(code.at - 2, f"f({code.text})", {end + 2: key for end, key in code.hidden.items()})


_NO_EXPRESSION = "it is not an expression; write a path, a constant or an operation"


def parse(source: Source, code: Code) -> ast.expr:
    """Return Python's syntax tree of an expression; columns count from a bracket before it."""
    if not code.text.strip():
        raise source.refuse(code.at, "the expression is empty; write a path or a constant")
    if (joiner := find_joiner(code.text)) is not None:
        raise source.refuse(code.at + joiner, _NO_EXPRESSION)
    try:
        return ast.parse(f"({code.text})", mode="eval").body
    except SyntaxError as error:
        if code.text.strip() in kwlist:
            word = code.text.strip()
            raise source.refuse(code.at, f"{word} is a word of Python's; write payload.{word}") from None
        at = code.at + max(0, min((error.offset or 2) - 2, len(code.text)))
        raise source.refuse(at, _NO_EXPRESSION) from None
    except (ValueError, RecursionError, MemoryError):
        raise source.refuse(code.at, "it is not an expression; write a path or a constant") from None


_Compile = Callable[[Expression, Any, bool], Read]

_NODES: Mapping[type[ast.expr], _Compile] = {
    ast.Constant: Expression.constant,
    ast.Name: Expression.member,
    ast.Attribute: Expression.member,
    ast.Subscript: Expression.member,
    ast.BoolOp: Expression.bool_op,
    ast.UnaryOp: Expression.unary,
    ast.IfExp: Expression.condition,
    ast.Compare: Expression.compare,
    ast.BinOp: Expression.binary,
    ast.Call: Expression.call,
}
