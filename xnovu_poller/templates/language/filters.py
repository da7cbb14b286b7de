"""Filters: what may stand behind the `|` of an expression. Each pays for its text before it makes it."""

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from json.encoder import encode_basestring
from typing import Any
from urllib.parse import quote, quote_plus

from xnovu_poller.templates.language import local, markup
from xnovu_poller.templates.language.expressions import Expression, parse
from xnovu_poller.templates.language.paths import MAX_GRAPHEME, split_graphemes
from xnovu_poller.templates.language.source import Code
from xnovu_poller.templates.language.state import Read, State
from xnovu_poller.templates.language.values import Unfit, to_text

MAX_NESTING = 50
"""The most lists and objects inside each other that `json` writes."""

MAX_TEXT = 10_000
"""The most characters to which `truncate` cuts."""

_LONGEST = 3
"""How much longer a text can be in capital or small letters."""

_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")

Change = Callable[..., Any]
"""Return a changed value; takes the state, the value and the arguments, and raises Unfit."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter.

    Attributes:
        change: its function.
        takes: the names of its arguments.
        needs: how many of them, from the first, it cannot do without.
        only: html or text, if it stands only where that is made.
        makes_html: the result is HTML, which is not escaped again; so it stands last.
    """

    change: Change
    takes: tuple[str, ...] = ()
    needs: int = 0
    only: str = ""
    makes_html: bool = False


def _of_text(change: Callable[[State, str], str]) -> Change:
    return lambda state, value: change(state, to_text(value))


def _upper(state: State, text: str) -> str:
    state.grow(_LONGEST * len(text))
    return text.upper()


def _lower(state: State, text: str) -> str:
    state.grow(_LONGEST * len(text))
    return text.lower()


def _title(state: State, text: str) -> str:
    state.spend(len(text) // 2)
    state.grow(_LONGEST * len(text))
    return _WORD.sub(lambda word: word[0][0].upper() + word[0][1:].lower(), text)


def _trim(state: State, text: str) -> str:
    state.spend(len(text) // 256)
    return text.strip()


def _escape(state: State, text: str) -> str:
    state.spend(len(text) // 64)
    return markup.escape(state, text)


def _quote_form(state: State, text: str) -> str:
    state.grow(3 * len(text.encode(errors="replace")))
    return quote_plus(text, errors="replace")


def _quote_url(state: State, text: str) -> str:
    state.grow(3 * len(text.encode(errors="replace")))
    return quote(text, safe="", errors="replace")


def _truncate(state: State, value: object, length: object) -> str:
    text = to_text(value)
    if type(length) is not int or not 1 <= length <= MAX_TEXT:
        raise Unfit(f"a text is cut to 1 to {MAX_TEXT} characters; write truncate(160)")
    if len(text) <= length:
        return text
    found = split_graphemes(state, text, length + 1)
    # A text beyond these graphemes has been left out where each of them is very long.
    if len(found) <= length and len(text) <= (length + 1) * MAX_GRAPHEME:
        return text
    return "".join(found[: length - 1]).rstrip() + "…"


def _default(_state: State, value: object, default: object) -> object:
    return default if value is None or value == "" else value


def _json(state: State, value: object) -> str:
    parts: list[str] = []
    _write_json(state, value, parts, 0)
    return "".join(parts)


def _write_json(state: State, value: object, parts: list[str], nesting: int) -> None:
    """Append a value as JSON; objects keep their order and numbers their digits."""
    state.spend(3)
    if nesting > MAX_NESTING:
        raise Unfit(f"more than {MAX_NESTING} lists and objects are inside each other; write a part of it")
    if type(value) is dict:
        for number, (key, item) in enumerate(value.items()):
            parts += ["," if number else "{", _quoted(state, key), ":"]
            _write_json(state, item, parts, nesting + 1)
        parts.append("}" if value else "{}")
    elif type(value) is list:
        for number, item in enumerate(value):
            parts.append("," if number else "[")
            _write_json(state, item, parts, nesting + 1)
        parts.append("]" if value else "[]")
    elif type(value) is str:
        parts.append(_quoted(state, value))
    else:
        text = "null" if value is None else to_text(value)
        state.grow(len(text))
        parts.append(text)


def _quoted(state: State, text: str) -> str:
    state.grow(2 * len(text) + 2)
    return encode_basestring(text)


def _raw(state: State, value: object) -> str:
    state.is_raw = True
    return to_text(value)


FILTERS: Mapping[str, Filter] = {
    "h": Filter(_of_text(_escape)),
    "n": Filter(_raw, only="html", makes_html=True),
    "trim": Filter(_of_text(_trim)),
    "u": Filter(_of_text(_quote_form)),
    "url": Filter(_of_text(_quote_url)),
    "upper": Filter(_of_text(_upper)),
    "lower": Filter(_of_text(_lower)),
    "title": Filter(_of_text(_title)),
    "truncate": Filter(_truncate, takes=("length",), needs=1),
    "default": Filter(_default, takes=("default",), needs=1),
    "json": Filter(_json),
    "strip_html": Filter(_of_text(markup.strip_html)),
    "markdown": Filter(_of_text(markup.from_markdown), only="html", makes_html=True),
    "slack": Filter(_of_text(markup.escape_for_slack), only="text"),
    "nl2br": Filter(_of_text(markup.break_lines), only="html", makes_html=True),
    "date": Filter(local.format_date, takes=("style",)),
    "time": Filter(local.format_time, takes=("style",)),
    "datetime": Filter(local.format_datetime, takes=("style",)),
    "number": Filter(local.format_number),
    "money": Filter(local.format_money, takes=("currency",), needs=1),
    "percent": Filter(local.format_percent),
    "list": Filter(local.format_list),
    "plural": Filter(local.choose_plural, takes=local.FORMS),
}
"""All filters by name."""


@dataclass(frozen=True, slots=True)
class Applied:
    """A filter with its arguments, as functions of ours."""

    name: str
    filter: Filter
    apply: Callable[[State, Any], Any]


def compile_filters(expression: Expression, *, html: bool, trusted: bool) -> list[Applied]:
    """Compile the filters of an expression, in the order in which they apply.

    Args:
        expression: the code behind the `|`.
        html: whether the template makes HTML.
        trusted: whether `n` is allowed.

    Raises:
        TemplateUnsafe: a filter is unknown, or stands where it cannot.
    """
    applied: list[Applied] = []
    is_escaped = False
    for node in _split(expression):
        called = node.func if isinstance(node, ast.Call) else node
        known = FILTERS.get(called.id) if isinstance(called, ast.Name) else None
        if known is None or not isinstance(called, ast.Name):
            raise expression.refuse(node, f"this is no filter; the filters are {', '.join(FILTERS)}")
        _check_use(expression, node, (called.id, known), applied, html=html, trusted=trusted)
        if called.id == "n" and is_escaped:
            raise expression.refuse(node, "h escapes and n does not; remove one of them")
        if called.id == "h" and html:  # which is done last anyway
            is_escaped = True
        else:
            applied.append(Applied(called.id, known, _bind(expression, node, known)))
    return applied


def _split(expression: Expression) -> Sequence[ast.expr]:
    code = expression.code
    if not code.text.strip() or code.text.rstrip().endswith(","):
        raise expression.source.refuse(
            code.at, "a filter is missing; write its name, or remove the | or the comma"
        )
    tree = parse(expression.source, Code(code.at, code.text + ",", code.hidden))
    if not isinstance(tree, ast.Tuple):
        raise expression.refuse(tree, "filters are names, separated by commas")
    return tree.elts


def _check_use(
    expression: Expression,
    node: ast.expr,
    named: tuple[str, Filter],
    before: Sequence[Applied],
    *,
    html: bool,
    trusted: bool,
) -> None:
    """Refuse a filter that stands where it cannot."""
    name, known = named
    if any(each.name == name for each in before):
        raise expression.refuse(node, f"the filter {name} stands there twice; remove one")
    if name == "n" and not trusted:
        raise expression.refuse(
            node, "n is allowed only in a trusted template; leave it out, or use `markdown`"
        )
    if known.only and (known.only == "html") is not html:
        made = "HTML" if html else "plain text"
        raise expression.refuse(
            node, f"the filter {name} does not fit here, because the template makes {made}"
        )
    if before and before[-1].filter.makes_html:
        raise expression.refuse(node, f"{before[-1].name} makes HTML; write it last")


def _bind(expression: Expression, node: ast.expr, known: Filter) -> Callable[[State, Any], Any]:
    """Return the filter with its arguments."""
    expression.cost += 1
    change = known.change
    if not isinstance(node, ast.Call):
        if known.needs or known.takes == local.FORMS:
            raise expression.refuse(node, f"the filter needs {_spell(known)}; write it in brackets")
        return change
    positional, named = expression.compile_arguments(node)
    if len(positional) > (0 if known.takes == local.FORMS else len(known.takes)):
        raise expression.refuse(node, f"the filter takes {_spell(known)}")
    arguments: dict[str, Read] = dict(
        zip(known.takes, map(expression.compile_node, positional), strict=False)
    )
    if named.keys() - set(known.takes) or named.keys() & arguments.keys():
        raise expression.refuse(node, f"the filter takes {_spell(known)}, each once")
    arguments |= named
    needed = {"other"} if known.takes == local.FORMS else set(known.takes[: known.needs])
    if not needed <= arguments.keys():
        raise expression.refuse(node, f"the filter needs {', '.join(sorted(needed))}; write it in brackets")
    return lambda state, value: change(
        state, value, **{name: read(state) for name, read in arguments.items()}
    )


def _spell(known: Filter) -> str:
    return ", ".join(f"{name}=" for name in known.takes) or "no argument"
