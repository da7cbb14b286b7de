"""HTML: escaped, made of Markdown, cleaned, and turned to text; by parsers that take linear time."""

import re
from html import unescape
from itertools import pairwise

import nh3
from cmarkgfm import markdown_to_html

from xnovu_poller.templates.language.state import State
from xnovu_poller.templates.language.values import Unfit

MAX_MARKDOWN = 20_000
"""The most characters of a text of Markdown."""

MAX_DEPTH = 200
"""The most tags inside each other in HTML that is cleaned: the parser looks through all open tags at each further one."""

_SPECIAL = re.compile("[&<>\"']")
_LENGTHS = {"&": 4, "<": 3, ">": 3, '"': 4, "'": 4}
"""How many characters longer a sign is when it is escaped."""

_PROSE = {
    "a", "b", "blockquote", "br", "code", "dd", "del", "div", "dl", "dt", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr",
    "i", "li", "ol", "p", "pre", "s", "span", "strong", "sub", "sup", "table", "tbody", "td", "th", "thead", "tr", "u",
    "ul",
}  # fmt: skip
_MAIL = _PROSE | {"center", "col", "colgroup", "font", "img", "small", "tfoot"}
_LAYOUT = {
    "align",
    "bgcolor",
    "border",
    "cellpadding",
    "cellspacing",
    "class",
    "dir",
    "height",
    "lang",
    "style",
    "valign",
    "width",
}
_MAIL_ATTRIBUTES = {
    "*": _LAYOUT,
    "a": {"href", "title"},
    "font": {"color", "face", "size"},
    "img": {"alt", "src"},
    "ol": {"start"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
}
_SCHEMES = {"http", "https", "mailto", "tel"}

_PROSE_CLEANER = nh3.Cleaner(
    tags=_PROSE, attributes={"a": {"href", "title"}, "ol": {"start"}}, url_schemes=_SCHEMES, link_rel=None
)
_MAIL_CLEANER = nh3.Cleaner(tags=_MAIL, attributes=_MAIL_ATTRIBUTES, url_schemes=_SCHEMES, link_rel=None)


# No pattern looks at a place twice: each ends at the end of the text, or at the next `<` or `>`, at the latest.
_HIDDEN = re.compile(
    r"<!--.*?(?:-->|\Z)|<(?:script|style|title)\b.*?(?:</(?:script|style|title)\s*>|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_LINK = re.compile(r"<a(\s[^<>]*+)>|</a\s*+>", re.IGNORECASE)
_TARGET = re.compile(r"""\bhref\s*+=\s*+["']?(?=https?:|mailto:|tel:)([^\s"'<>]++)""", re.IGNORECASE)
_LINE = re.compile(
    r"</?(?:p(?:re)?|t(?:r|able)|d(?:iv|l|d|t)|b(?:r|lockquote)|h[1-6r]|[uo]l|center)\b[^<>]*>", re.IGNORECASE
)
_ITEM = re.compile(r"<[lL][iI]\b[^<>]*>")
_CELL = re.compile(r"</[tT][dDhH]\s*>")
_TAG = re.compile(r"</?[a-zA-Z!][^<>]*>")
_NAME = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
# Void, or closed by the next of their kind; so they are never inside each other by themselves.
_FLAT = {
    "area", "base", "br", "col", "colgroup", "dd", "dt", "embed", "hr", "img", "input", "li", "link", "meta", "option", "p",
    "param", "source", "tbody", "td", "tfoot", "th", "thead", "tr", "wbr",
}  # fmt: skip
# Numbers beyond Unicode, of which Python converts none of more than 4,300 digits.
_NO_SIGN = re.compile(r"&#(?:[0-9]{8,}|[xX][0-9a-fA-F]{8,});?")
# The usual tags, as the patterns above replace them: most tags have no attributes, and this takes a fifth of their time.
_BLOCKS = ("<p>", "</p>", "<br>")
_TABLE = (("</td>", " "), ("<td>", ""), ("<tr>", "\n"), ("</tr>", "\n"))
_ESCAPED = (("&lt;", "<"), ("&gt;", ">"), ("&#34;", '"'), ("&#39;", "'"))
"""What `escape` writes, except `&amp;`."""


def escape(state: State, text: str) -> str:
    """Return a text whose `&`, `<`, `>` and quotes are shown, and are no markup, in HTML and in its attributes."""
    if _SPECIAL.search(text) is None:
        return text
    longer = sum(text.count(sign) * more for sign, more in _LENGTHS.items())
    if len(text) + longer > state.limit:
        raise state.too_long()
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace('"', "&#34;").replace("'", "&#39;")


def escape_for_slack(state: State, text: str) -> str:
    """Return a text whose `&`, `<` and `>` Slack shows. Source: Slack, Formatting text for app surfaces."""
    state.grow(len(text) + sum(text.count(sign) * _LENGTHS[sign] for sign in "&<>"))
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def break_lines(state: State, text: str) -> str:
    """Return a text as HTML, with `<br>` at its line ends."""
    state.grow(len(text) + 4 * text.count("\n"))
    return escape(state, text).replace("\r\n", "\n").replace("\n", "<br>\n")


def from_markdown(state: State, text: str) -> str:
    """Return a text of Markdown as HTML without raw HTML, images, and links with other schemes than of mail and web."""
    if len(text) > MAX_MARKDOWN:
        raise Unfit(f"a text of Markdown has at most {MAX_MARKDOWN} characters; shorten it")
    state.spend(100 + 2 * len(text))
    html = markdown_to_html(text, options=0)
    state.grow(len(html))
    _require_shallow(html)
    return _PROSE_CLEANER.clean(html).strip()


def sanitize(html: str) -> str:
    """Return HTML with only what a mail shows: no script, no form, no style sheet, no document around it.

    Raises:
        Unfit: too many of its tags are inside each other.
    """
    _require_shallow(html)
    return _MAIL_CLEANER.clean(html)


def _require_shallow(html: str) -> None:
    """Raise Unfit if more than `MAX_DEPTH` tags are inside each other."""
    opened: dict[str, int] = {}
    depth = 0
    for end, name in _NAME.findall(html.lower()):
        if name in _FLAT or (end and not opened.get(name)):
            continue
        step = -1 if end else 1
        opened[name] = opened.get(name, 0) + step
        depth += step
        if depth > MAX_DEPTH:
            raise Unfit(f"more than {MAX_DEPTH} tags of HTML are inside each other; close them, or use fewer")


def to_plain(html: str) -> str:
    """Return HTML as text: a line for each block, and the address behind each link; safe to send only as text."""
    lower = html.lower()
    shown = _HIDDEN.sub("", html) if _hides(lower) else html
    text = _spell_links(shown.replace("\n", " ")) if "</a" in lower else shown.replace("\n", " ")
    text = _replace_tags(text, lower)
    if "&" in text:
        text = _unescape(text)
    lines = [_join_words(line) for line in text.split("\n")]
    # At most one empty line stands between others.
    kept = [line for before, line in pairwise(["", *lines]) if line or before]
    return "\n".join(kept).strip()


def _hides(lower: str) -> bool:
    return "<!--" in lower or "<script" in lower or "<style" in lower or "<title" in lower


def _replace_tags(text: str, lower: str) -> str:
    """Return HTML without tags: with a line for each block and item, and a space after each cell."""
    for tag in _BLOCKS:
        text = text.replace(tag, "\n")
    is_table = "</t" in lower
    if is_table:
        for tag, shown in _TABLE:
            text = text.replace(tag, shown)
    if "<" not in text:
        return text
    text = _LINE.sub("\n", text)
    if is_table or "<li" in lower:
        text = _CELL.sub(" ", _ITEM.sub("\n- ", text))
    return _TAG.sub("", text)


def _unescape(text: str) -> str:
    """Return a text with the signs that its entities stand for."""
    found = text
    for entity, sign in _ESCAPED:
        found = found.replace(entity, sign)
    if found.count("&") == found.count("&amp;"):
        return found.replace("&amp;", "&")
    return unescape(_NO_SIGN.sub("\ufffd", text))


def _join_words(line: str) -> str:
    """Return a line with a space for each run of blanks; most have no other, and of all blanks only a space is printable."""
    if line.isprintable() and "  " not in line:
        return line.strip()
    return " ".join(line.split())


def _spell_links(html: str) -> str:
    """Return HTML with the address of each link behind it, unless the link shows it."""
    target, start = "", 0

    def replace(tag: re.Match[str]) -> str:
        nonlocal target, start
        if tag[1] is not None:
            found = _TARGET.search(tag[1])
            target, start = found[1] if found else "", tag.end()
            return ""
        shown = target.removeprefix("mailto:").removeprefix("tel:")
        known, target = html.startswith(shown, start), ""
        return f" ({shown})" if shown and not known else ""

    return _LINK.sub(replace, html)


def strip_html(state: State, text: str) -> str:
    """Return HTML as text."""
    state.spend(50 + len(text) // 2)
    state.grow(len(text))
    return to_plain(text)
