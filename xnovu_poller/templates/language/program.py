"""Compile a template: its constructs, in one pass, become functions of ours."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from keyword import iskeyword
from sys import getsizeof
from typing import cast
from unicodedata import normalize
from warnings import catch_warnings, simplefilter

from xnovu_poller.templates.language import pieces
from xnovu_poller.templates.language.expressions import MAGIC_NAMES, Expression, as_call
from xnovu_poller.templates.language.filters import Applied, compile_filters
from xnovu_poller.templates.language.grammar import check_with_mako
from xnovu_poller.templates.language.scan import Construct, Control, Tag, Text, Value, scan
from xnovu_poller.templates.language.source import Code, Source, is_name
from xnovu_poller.templates.language.state import MAX_NESTING, Program, Read, Run

MAX_STEPS = 3_000
"""The most steps of a template without what its loops repeat."""

MOST_USES = 32
"""The most layouts and partials that a text names itself; a row keeps those of its subject and its body."""

_INCLUDE_STEPS = 10
"""The steps to begin and end a partial."""

_BYTES = 400
"""The memory of a construct, about."""


def compile_template(text: str, *, html: bool, trusted: bool = False, limit: int = 262_144) -> Program:
    """Compile a template without executing anything of it.

    Args:
        text: what its author wrote.
        html: values are escaped for HTML.
        trusted: the filter `n` is allowed.
        limit: the most characters of the text.

    Raises:
        TemplateUnsafe: something in it is not allowed; names the first place, and what to write instead.
    """
    source = Source(text)
    if len(text) > limit:
        raise source.refuse(limit, f"it is longer than {limit} characters; move a part of it to a partial")
    with catch_warnings():
        # Python warns of `1or 2`, on standard error.
        simplefilter("ignore", SyntaxWarning)
        constructs = list(scan(source))
        program = _Builder(source, html=html, trusted=trusted).build(constructs)
        check_with_mako(source, [each for each in constructs if not isinstance(each, Text)])
    return program


@dataclass(slots=True)
class _Frame:
    """An open tag or control line, and the pieces in it.

    Attributes:
        opened: the construct that opened it; None for the template itself.
        line: its line.
        runs: the pieces since its last `elif` or `else`.
        arms: the conditions of an `if`, and the pieces that are written if they hold.
    """

    opened: Control | Tag | None
    line: int
    runs: list[Run] = field(default_factory=list)
    arms: list[tuple[Read, tuple[Run, ...]]] = field(default_factory=list)
    test: Read | None = None
    steps: int = 0


class _Builder:
    """Builds a program from constructs, in one pass."""

    def __init__(self, source: Source, *, html: bool, trusted: bool) -> None:
        self._source = source
        self._html = html
        self._trusted = trusted
        self._open = [_Frame(None, 1)]
        self._loops: list[str] = []
        self._blocks: dict[str, Run] = {}
        self._layout: tuple[str, int] | None = None
        self._outside: int | None = None
        self._uses: dict[str, None] = {}

    def build(self, constructs: Sequence[Construct]) -> Program:
        """Return the program of a template."""
        for construct in constructs:
            self._note_outside(construct)
            self._take(construct)
            if sum(frame.steps for frame in self._open) > MAX_STEPS:
                reason = f"it has more than {MAX_STEPS} names, keys and operations; move some to partials"
                raise self._source.refuse(construct.at, reason)
        last = self._open[-1]
        if last.opened is not None:
            name = last.opened.keyword if isinstance(last.opened, Control) else f"<%{last.opened.name}>"
            raise self._source.refuse(last.opened.at, f"{name} is not closed; write its end")
        if self._layout is not None and self._outside is not None:
            reason = "with a layout, only blocks are shown; put this into a block of the layout"
            raise self._source.refuse(self._outside, reason)
        weight = 2 * getsizeof(self._source.text) + _BYTES * (len(constructs) + last.steps)
        return Program(
            pieces.sequence(last.runs), self._blocks, self._layout, tuple(self._uses), last.steps, weight
        )

    def _take(self, construct: Construct) -> None:
        match construct:
            case Text(content=content):
                self._add(pieces.write_text(content), 1)
            case Value():
                self._add_value(construct)
            case Control():
                self._add_control(construct)
            case Tag():
                self._add_tag(construct)

    def _note_outside(self, construct: Construct) -> None:
        """Remember the first text that a layout would not show."""
        shown = not isinstance(construct, Tag) and not (
            isinstance(construct, Text) and not construct.content.strip()
        )
        if shown and self._outside is None and len(self._open) == 1:
            self._outside = construct.at

    def _add(self, run: Run, steps: int) -> None:
        frame = self._open[-1]
        frame.runs.append(run)
        frame.steps += steps

    def _expression(self, code: Code) -> Expression:
        return Expression(self._source, code, tuple(self._loops))

    def _add_value(self, value: Value) -> None:
        expression = self._expression(value.expression)
        filters: list[Applied] = []
        if value.filters is not None:
            chain = self._expression(value.filters)
            filters = compile_filters(chain, html=self._html, trusted=self._trusted)
            expression.cost += chain.cost
        lenient = any(each.name == "default" for each in filters)
        read = expression.compile(lenient=lenient)
        escaped = self._html and not (filters and filters[-1].filter.makes_html)
        run = pieces.write_value(
            read,
            tuple(each.apply for each in filters),
            escaped=escaped,
            line=self._source.count_line(value.at),
        )
        self._add(run, 1 + expression.cost)

    def _add_control(self, control: Control) -> None:
        match control.keyword:
            case "if" | "for":
                self._begin(control)
            case "elif" | "else":
                self._change_arm(control)
            case "endif":
                self._end_arms(control)
            case _:
                self._end_loop(control)

    def _begin(self, opened: Control | Tag) -> None:
        if len(self._open) > MAX_NESTING:
            raise self._source.refuse(
                opened.at, f"more than {MAX_NESTING} tags and lines are inside each other"
            )
        frame = _Frame(opened, self._source.count_line(opened.at))
        if isinstance(opened, Control) and opened.expression is not None:
            expression = self._expression(opened.expression)
            frame.test = expression.compile(lenient=opened.keyword == "if")
            frame.steps = 1 + expression.cost
            if opened.keyword == "for":
                self._name_loop(opened)
        self._open.append(frame)

    def _name_loop(self, control: Control) -> None:
        name = normalize("NFKC", control.name)  # as Python reads it in expressions
        is_taken = (
            name in {*MAGIC_NAMES, *self._loops, "payload", "len"} or name.startswith("_") or iskeyword(name)
        )
        if is_taken or not is_name(name):
            reason = f"{control.name} cannot be the name of an item; take another name"
            raise self._source.refuse(control.at, reason)
        self._loops.append(name)

    def _close(self, at: int, keyword: str, name: str) -> _Frame:
        """Close the frame of an `if`, a `for` or a block."""
        opened = self._open[-1].opened
        if (opened.keyword if isinstance(opened, Control) else opened and opened.name) != keyword:
            inside = (
                "nothing is open" if opened is None else "something else is open, and has to be closed first"
            )
            raise self._source.refuse(at, f"{name} closes nothing: {inside}")
        return self._open.pop()

    def _change_arm(self, control: Control) -> None:
        frame = self._close(control.at, "if", control.keyword)
        if frame.test is None:
            raise self._source.refuse(control.at, f"{control.keyword} stands behind else; write it before")
        frame.arms.append((frame.test, tuple(frame.runs)))
        frame.runs, frame.test = [], None
        if control.expression is not None:
            expression = self._expression(control.expression)
            frame.test = expression.compile(lenient=True)
            frame.steps += 1 + expression.cost
        self._open.append(frame)

    def _end_arms(self, control: Control) -> None:
        frame = self._close(control.at, "if", "endif")
        if frame.test is None:
            run = pieces.choose(frame.arms, tuple(frame.runs))
        else:
            run = pieces.choose([*frame.arms, (frame.test, tuple(frame.runs))], ())
        self._add(pieces.with_line(run, frame.line), frame.steps)

    def _end_loop(self, control: Control) -> None:
        frame = self._close(control.at, "for", "endfor")
        self._loops.pop()
        run = pieces.repeat(cast("Read", frame.test), tuple(frame.runs), 3 * len(self._loops), frame.steps)
        self._add(pieces.with_line(run, frame.line), frame.steps)

    def _add_tag(self, tag: Tag) -> None:
        match tag.name:
            case "inherit":
                self._inherit(tag)
            case "include":
                self._include(tag)
            case "block":
                self._begin_block(tag)
            case _:
                self._end_block(tag)

    def _key(self, tag: Tag) -> str:
        key = tag.attributes["file"].text
        if not key.strip():
            raise self._source.refuse(tag.at, "the key is empty; write the key of a template")
        self._uses[key] = None
        if len(self._uses) > MOST_USES:
            raise self._source.refuse(
                tag.at, f"it names more than {MOST_USES} layouts and partials; use fewer"
            )
        return key

    def _inherit(self, tag: Tag) -> None:
        if len(self._open) > 1 or self._layout is not None:
            raise self._source.refuse(
                tag.at, "a template has one layout, outside of blocks and control lines"
            )
        self._layout = (self._key(tag), self._source.count_line(tag.at))

    def _include(self, tag: Tag) -> None:
        if len(self._open) == 1 and self._outside is None:
            self._outside = tag.at
        key = self._key(tag)
        code = tag.attributes.get("args", Code(tag.at, ""))
        expression = Expression(self._source, as_call(code), tuple(self._loops))
        arguments = expression.compile_names()
        steps = _INCLUDE_STEPS + expression.cost
        self._add(pieces.with_line(pieces.include(key, arguments), self._source.count_line(tag.at)), steps)

    def _begin_block(self, tag: Tag) -> None:
        name = tag.attributes["name"].text
        is_taken = name in {*MAGIC_NAMES, "body"} or name.startswith("_") or iskeyword(name)
        if is_taken or not is_name(name):
            reason = "the name of a block is letters, digits and _, and none that Mako or Python uses; write `content`"
            raise self._source.refuse(tag.at, reason)
        if name in self._blocks or any(
            isinstance(each.opened, Tag) and each.opened.attributes["name"].text == name
            for each in self._open
        ):
            raise self._source.refuse(tag.at, f"the block {name} is there twice; take another name")
        if self._loops:
            raise self._source.refuse(tag.at, "a block cannot stand in a loop; put the loop into the block")
        self._begin(tag)

    def _end_block(self, tag: Tag) -> None:
        frame = self._close(tag.at, "block", "</%block>")
        name = cast("Tag", frame.opened).attributes["name"].text
        self._blocks[name] = pieces.sequence(frame.runs)
        self._add(pieces.write_block(name), 1 + frame.steps)
