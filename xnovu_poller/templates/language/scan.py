"""The fence: find the constructs of a template, in time linear in its source.

It passes text, closed expressions, control lines of `if` and `for`, comments, and four tags with constant attributes;
it refuses anything else that Mako would read as more than text. Mako's lexer, which takes quadratic time on texts made
for that, sees only constructs that passed.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from xnovu_poller.templates.language.advice import TAGS
from xnovu_poller.templates.language.source import Code, Source, read_code

MAX_CONSTRUCTS = 500
"""The most expressions, control lines, comments and tags of a template."""

MAX_LENGTH = 500
"""The most characters of an expression, a control line or a tag."""

MAX_BRACKETS = 20
"""The most brackets inside each other."""


@dataclass(frozen=True, slots=True)
class Text:
    """Text that is sent unchanged."""

    at: int
    content: str


@dataclass(frozen=True, slots=True)
class Value:
    """A `${…}`, and the filters after its `|`."""

    at: int
    expression: Code
    filters: Code | None


@dataclass(frozen=True, slots=True)
class Control:
    """A control line.

    Attributes:
        keyword: if, elif, else, for, endif or endfor.
        name: the name that a `for` gives each item.
        expression: the condition, or what a `for` goes through.
    """

    at: int
    keyword: str
    expression: Code | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag: inherit, include, block or endblock."""

    at: int
    name: str
    attributes: Mapping[str, Code] = field(default_factory=dict)


Construct = Text | Value | Control | Tag

_OPENING = re.compile(r"\$\{|</?%|^[ \t]*(?:%(?!%)|\#\#)", re.MULTILINE)
_PERCENT = re.compile(r"^([ \t]*)%%", re.MULTILINE)
_LINE = re.compile(r"[^\r\n]*+")
_LINE_END = re.compile(r"\r?\n|\Z")

_TOKEN = re.compile(
    r"""
      [^"'\\{}()\[\]#|\x00-\x08\x0b-\x1f\x7f]++
    | "[^"\\\x00-\x1f\x7f]*+"(?!") | '[^'\\\x00-\x1f\x7f]*+'(?!')
    | [()\[\]]
    """,
    re.VERBOSE,
)

_CONTROL = re.compile(r"[ \t]*%[ \t]*(\w*)")
_FOR = re.compile(r"[ \t]+(\w+)[ \t]+in\b")
_TAG = re.compile(
    r"""
    <%(?P<name>inherit|include|block|text)
    (?P<attributes>(?:\s+[a-z]+\s*=\s*(?:"[^"<>\x00-\x1f]*+"|'[^'<>\x00-\x1f]*+'))*+)
    \s*(?P<closed>/?)>
    """,
    re.VERBOSE | re.ASCII,
)
_ATTRIBUTE = re.compile(r"""\s+([a-z]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.ASCII)
_BLOCK_END = re.compile(r"</%block\s*>", re.ASCII)
_TEXT_END = "</%text>"

_NEEDS = {"inherit": {"file"}, "include": {"file"}, "block": {"name"}, "text": set[str]()}
_TAKES = {**_NEEDS, "include": {"file", "args"}}

_ADVICE = {
    "{": "a brace stands only in text; write constants in quotes",
    "}": "a brace stands only in text; close the brackets and quotes before it",
    "#": "a comment stands on a line of its own, which begins with ##",
    "\\": "a backslash is not allowed in an expression; use the other kind of quotes",
    '"': "the quotes are not closed on their line, or doubled; close them, or use the other kind",
    "'": "the quotes are not closed on their line, or doubled; close them, or use the other kind",
    "|": "only one | is allowed; separate filters by commas",
}


def scan(source: Source) -> Iterator[Construct]:
    """Yield the constructs of a template in their order; comments are left out.

    Raises:
        TemplateUnsafe: something else than text and these constructs is in it; names the first place.
    """
    text, at, count = source.text, 0, 0
    while opening := _OPENING.search(text, at):
        yield from _read_text(text, at, opening.start())
        count += 1
        if count > MAX_CONSTRUCTS:
            reason = f"it has more than {MAX_CONSTRUCTS} expressions, control lines, comments and tags; move some to partials"
            raise source.refuse(opening.start(), reason)
        found, at = _READERS[opening.group().lstrip(" \t")](source, opening.start())
        if found is not None:
            yield found
    yield from _read_text(text, at, len(text))


def _read_text(text: str, start: int, end: int) -> Iterator[Text]:
    """Yield text byte for byte, except that `%%` at the start of a line means `%`."""
    if start < end:
        content = text[start:end]
        if "%%" in content:
            # `^` is the start of a line of the source, and not of this piece of it.
            before = "\n" if start == 0 or text[start - 1] == "\n" else "."
            content = _PERCENT.sub(r"\1%", before + content)[1:]
        yield Text(start, content)


def _read_value(source: Source, start: int) -> tuple[Construct, int]:
    """Read `${…}`."""
    end = _find_end(source, start + 2, min(start + MAX_LENGTH, len(source.text)), "}|")
    expression = _code(source, start + 2, end)
    if source.text[end] == "}":
        return Value(start, expression, None), end + 1
    stop = _find_end(source, end + 1, min(start + MAX_LENGTH, len(source.text)), "}")
    return Value(start, expression, _code(source, end + 1, stop)), stop + 1


def _code(source: Source, start: int, end: int) -> Code:
    return read_code(start, source.text[start:end])


def _find_end(source: Source, start: int, limit: int, ends: str) -> int:
    """Return where an expression ends: at one of some characters outside quotes and brackets, or at the limit."""
    text, at, opened = source.text, start, list[str]()
    while token := _TOKEN.match(text, at, limit):
        if text[at] in "()[]":
            _follow_bracket(source, at, opened)
        at = token.end()
    if not opened and (text[at] in ends if at < limit else not ends):
        return at
    if at < limit:
        default = f"{text[at]!a} is not allowed in an expression; remove it"
        raise source.refuse(at, _ADVICE.get(text[at], default))
    if ends and limit < len(text):
        raise source.refuse(start, f"it is longer than {MAX_LENGTH} characters; shorten it")
    raise source.refuse(start, "the expression is not closed; add what closes it")


def _follow_bracket(source: Source, at: int, opened: list[str]) -> None:
    """Open or close a bracket; `opened` has the signs that close the open brackets."""
    sign = source.text[at]
    if sign in "([":
        opened.append(")" if sign == "(" else "]")
        if len(opened) > MAX_BRACKETS:
            raise source.refuse(at, f"more than {MAX_BRACKETS} brackets are inside each other; use fewer")
    elif not opened or opened.pop() != sign:
        raise source.refuse(at, f"{sign} closes nothing; remove it")


def _read_line(source: Source, start: int) -> tuple[int, int, int]:
    """Return where a control line or a comment begins after its spaces, where it ends, and the next line."""
    line = _LINE.match(source.text, start)
    stop = start if line is None else line.end()
    end = _LINE_END.match(source.text, stop)
    if end is None:
        raise source.refuse(stop, "a carriage return is not allowed here; end lines by newlines")
    if source.text[start:stop].endswith("\\"):
        raise source.refuse(stop - 1, "a backslash would join the next line to it; remove it")
    sign = start + len(source.text[start:stop]) - len(source.text[start:stop].lstrip(" \t"))
    return sign, stop, end.end()


def _read_comment(source: Source, start: int) -> tuple[None, int]:
    return None, _read_line(source, start)[2]


def _read_control(source: Source, start: int) -> tuple[Construct, int]:
    sign, stop, after = _read_line(source, start)
    if stop - sign > MAX_LENGTH:
        raise source.refuse(sign, f"the line is longer than {MAX_LENGTH} characters; shorten it")
    found = _CONTROL.match(source.text, start, stop)
    keyword, at = ("", stop) if found is None else (found.group(1), found.end())
    rest = source.text[at:stop].strip(" \t")
    if keyword in {"endif", "endfor"} and not rest:
        return Control(sign, keyword), after
    if keyword not in {"if", "elif", "else", "for"} or not rest.endswith(":"):
        raise source.refuse(sign, _advise_line(keyword))
    colon = source.text.rindex(":", at, stop)
    if keyword == "else":
        if rest != ":":
            raise source.refuse(at, "a condition stands behind `if` or `elif`; write `% else:`")
        return Control(sign, keyword), after
    name = ""
    if keyword == "for":
        target = _FOR.match(source.text, at, colon)
        if target is None:
            raise source.refuse(sign, "a loop has one name; write `% for item in items:`")
        name, at = target.group(1), target.end()
    return Control(sign, keyword, _closed(source, at, colon), name), after


def _closed(source: Source, start: int, end: int) -> Code:
    """Return an expression that fills a piece of the source; its quotes and brackets are closed."""
    _find_end(source, start, end, "")
    return _code(source, start, end)


def _advise_line(keyword: str) -> str:
    if keyword in {"if", "elif", "else", "for"}:
        return f"the line does not end with a colon; write `% {keyword} …:`"
    if keyword in {"endif", "endfor"}:
        return f"something stands behind `{keyword}`; remove it"
    which = f"`% {keyword}`" if keyword else "a line that begins with %"
    known = "if, elif, else, endif, for and endfor"
    return f"{which} is no control line ({known}); for text that begins with %, write %%"


def _read_tag(source: Source, start: int) -> tuple[Construct, int]:
    found = _TAG.match(source.text, start, start + MAX_LENGTH)
    if found is None:
        raise source.refuse(start, _advise_tag(source.text[start + 2 : start + 12]))
    name, closed = found["name"], bool(found["closed"])
    if closed is (name in {"block", "text"}):
        shape = f"<%{name}>…</%{name}>" if closed else f"<%{name} …/>"
        raise source.refuse(start, f"the tag has the wrong form; write {shape}")
    attributes = dict(_read_attributes(source, found))
    if not _NEEDS[name] <= attributes.keys() <= _TAKES[name]:
        takes = ", ".join(sorted(_TAKES[name])) or "no attribute"
        raise source.refuse(start, f"<%{name}> takes {takes}; write just that, each once")
    if name != "text":
        return Tag(start, name, attributes), found.end()
    end = source.text.find(_TEXT_END, found.end())
    if end < 0:
        raise source.refuse(start, "<%text> is not closed; write </%text> behind it")
    return Text(start, source.text[found.end() : end]), end + len(_TEXT_END)


def _read_attributes(source: Source, tag: re.Match[str]) -> Iterator[tuple[str, Code]]:
    for attribute in _ATTRIBUTE.finditer(source.text, *tag.span("attributes")):
        group = 2 if attribute[2] is not None else 3
        name, start, end = attribute[1], *attribute.span(group)
        if "${" in attribute[group]:
            raise source.refuse(start, f"{name} is a constant; write the key itself, not an expression")
        yield name, _closed(source, start, end) if name == "args" else Code(start, attribute[group])


def _advise_tag(text: str) -> str:
    name = (re.match(r"[\w.:]*", text) or [""])[0]
    if not name:
        return "Python blocks are not allowed; use `% if` and `% for`, and put values into the payload or the defaults"
    if name in _NEEDS:
        takes = ", ".join(sorted(_TAKES[name])) or "no attribute"
        return f"<%{name}> is not closed or not well formed: it takes {takes}, in quotes and without < and >"
    return f"<%{name}> is not allowed; {TAGS.get(name, 'the tags are <%inherit>, <%block>, <%include> and <%text>')}"


def _read_tag_end(source: Source, start: int) -> tuple[Construct, int]:
    found = _BLOCK_END.match(source.text, start, start + MAX_LENGTH)
    if found is None:
        raise source.refuse(start, "it closes nothing; only </%block> and </%text> close a tag")
    return Tag(start, "endblock"), found.end()


_READERS = {
    "${": _read_value,
    "<%": _read_tag,
    "</%": _read_tag_end,
    "%": _read_control,
    "##": _read_comment,
}
