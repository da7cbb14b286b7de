"""What to write instead of what Python has and templates do not."""

import ast
from collections.abc import Mapping

NODES: Mapping[type[ast.AST], str] = {
    ast.JoinedStr: "f-strings are not allowed; write ${…} in the text",
    ast.Lambda: "lambda is not allowed; filters after | change values",
    ast.ListComp: "comprehensions are not allowed; write `% for`",
    ast.SetComp: "comprehensions are not allowed; write `% for`",
    ast.DictComp: "comprehensions are not allowed; write `% for`",
    ast.GeneratorExp: "comprehensions are not allowed; write `% for`",
    ast.NamedExpr: "assignments are not allowed; write the expression where its value is used",
    ast.List: "a list of constants stands only behind `in`; write `x in ['a', 'b']`",
    ast.Tuple: "only one value stands in an expression; separate filters by | and commas",
    ast.Slice: "a slice stands only in brackets behind a value; write x[start:stop]",
    ast.Starred: "`*` unpacks nothing here; remove it",
    ast.Yield: "yield is not allowed; remove it",
    ast.YieldFrom: "yield is not allowed; remove it",
    ast.Await: "await is not allowed; remove it",
}
"""For each kind of node."""

OPERATORS: Mapping[type[ast.AST], str] = {
    ast.Mod: "`%` is not allowed; write ${…} in the text",
    ast.Pow: "`**` is not allowed; write a product",
    ast.FloorDiv: "`//` is not allowed; write `/`, and the filter `number`",
    ast.MatMult: "`@` is not allowed; addresses stand in quotes",
    ast.BitAnd: "`&` is not allowed; write `and`",
    ast.BitXor: "`^` is not allowed; remove it",
    ast.LShift: "`<<` is not allowed; remove it",
    ast.RShift: "`>>` is not allowed; remove it",
    ast.Invert: "`~` is not allowed; write `not`",
    ast.UAdd: "`+` before a value is not allowed; remove it",
    ast.Is: "`is` is not allowed; write `==`",
    ast.IsNot: "`is not` is not allowed; write `!=`",
}
"""For each operator."""

CALLS: Mapping[str, str] = {
    "format": "write ${…} in the text, or a filter such as `number`",
    "join": "write the filter `list`, or `% for`",
    "str": "write the value itself",
    "int": "write the filter `number`",
    "float": "write the filter `number`",
    "round": "write the filter `number`",
    "abs": "write `-x if x < 0 else x`",
    "upper": "write the filter `upper`",
    "lower": "write the filter `lower`",
    "title": "write the filter `title`",
    "capitalize": "write the filter `title`",
    "strip": "write the filter `trim`",
    "strftime": "write the filter `date`",
    "isoformat": "write the filter `date`",
    "get": "write the path, and `or` with a default",
    "items": "`% for key in object:` has its keys, and object[key] a value",
    "keys": "`% for key in object:` has its keys",
    "values": "`% for key in object:` has its keys, and object[key] a value",
    "enumerate": "loop.index counts from 0",
    "startswith": "compare a slice, as in `x[:3] == 'abc'`",
    "endswith": "compare a slice, as in `x[-3:] == 'abc'`",
    "defined": "a path in a condition may be missing: write `% if path:`",
}
"""For each function or method that authors know."""

TAGS: Mapping[str, str] = {
    "def": 'write <%block name="…">, which replaces the block of that name in the layout',
    "doc": "begin each line of a comment with ##",
    "page": "a partial has its arguments without it",
    "namespace": "write <%include> where a part of another template should stand",
    "call": "write <%include> with args",
}
"""For each other tag of Mako."""

OF_LAYOUT = "write <%block> with that name, whose text a template with this layout replaces"
"""For what Mako's templates call of each other, as in `self.content()`."""
