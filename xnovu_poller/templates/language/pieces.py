"""The pieces of a program: functions that write text, values, conditions, loops, blocks and partials."""

from collections.abc import Callable, Sequence
from typing import Any

from xnovu_poller.errors import TemplateFailed
from xnovu_poller.templates.language import markup
from xnovu_poller.templates.language.state import MAX_NESTING, Program, Read, Run, State
from xnovu_poller.templates.language.values import Unfit, name_kind, to_text

Change = Callable[[State, Any], Any]
"""Return a value changed by a filter."""

_TIME_CHECK = 64
"""After this many rounds of a loop the time is looked at."""


def sequence(runs: Sequence[Run]) -> Run:
    """Return a piece that writes others in order."""
    parts = tuple(runs)

    def run(state: State) -> None:
        for part in parts:
            part(state)

    return run


def write_text(content: str) -> Run:
    """Return a piece that writes text of the template."""
    length = len(content)

    def run(state: State) -> None:
        state.room -= length
        if state.room < 0:
            raise state.too_long()
        state.append(content)

    return run


def write_value(read: Read, changes: tuple[Change, ...], *, escaped: bool, line: int) -> Run:
    """Return a piece that writes a value.

    Args:
        read: returns the value.
        changes: the filters, in their order.
        escaped: the text is escaped for HTML.
        line: the line that errors name.
    """

    def run(state: State) -> None:
        try:
            value = read(state)
            for change in changes:
                value = change(state, value)
            if type(value) is not str:
                text = to_text(value)
            else:
                text = markup.escape(state, value) if escaped else value
            state.room -= len(text)
            if state.room < 0:
                raise state.too_long()
        except Unfit as unfit:
            reason = unfit.reason
        else:
            state.append(text)
            return
        # Outside of the `except`, because an error keeps the frames, and their values, of the error before it.
        raise TemplateFailed(reason, line, state.part)

    return run


def with_line(run: Run, line: int) -> Run:
    """Return a piece whose errors name its line."""

    def located(state: State) -> None:
        try:
            run(state)
        except Unfit as unfit:
            reason = unfit.reason
        else:
            return
        raise TemplateFailed(reason, line, state.part)  # outside of the `except`, as above

    return located


def choose(arms: Sequence[tuple[Read, tuple[Run, ...]]], otherwise: tuple[Run, ...]) -> Run:
    """Return a piece that writes the first arm whose condition is true, or else the last arguments."""
    choices = tuple(arms)

    def run(state: State) -> None:
        for part in next((parts for test, parts in choices if test(state)), otherwise):
            part(state)

    return run


def repeat(read: Read, parts: tuple[Run, ...], place: int, steps: int) -> Run:
    """Return a loop.

    Args:
        read: returns what it goes through.
        parts: what it repeats.
        place: where the frame has its item, its index and its count.
        steps: what it costs each time.
    """

    def run(state: State) -> None:
        items = read(state)
        if items is None:
            return
        if type(items) not in {list, dict}:
            raise Unfit(
                f"a loop goes through a list, or the keys of an object, not through {name_kind(items)}"
            )
        frame = state.frame
        frame[place + 2] = len(items)
        for index, item in enumerate(items):
            state.spend(steps)
            if index % _TIME_CHECK == 0:
                state.check_time()
            frame[place], frame[place + 1] = item, index
            for part in parts:
                part(state)

    return run


def write_block(name: str) -> Run:
    """Return a piece that writes a block, as the innermost program that has it."""

    def run(state: State) -> None:
        before = state.part
        block, state.part = state.blocks[name]
        block(state)
        state.part = before

    return run


def include(key: str, arguments: dict[str, Read]) -> Run:
    """Return a piece that writes a partial; its arguments are further variables."""

    def run(state: State) -> None:
        values = {name: read(state) for name, read in arguments.items()}
        before = (state.variables, state.frame, state.blocks, state.keys, state.part)
        program = state.enter(key)
        if values:
            state.spend(len(state.variables))
            state.variables = {**state.variables, **values}
        state.part = key
        state.check_time()
        write(program, state)
        state.variables, state.frame, state.blocks, state.keys, state.part = before

    return run


def write(program: Program, state: State) -> None:
    """Write a program: its text, or the text of its outermost layout with its blocks.

    Raises:
        TemplateFailed: a value is missing or does not fit, a part is missing, or a budget is used up.
    """
    state.spend(program.steps)
    state.frame = [None] * (3 * MAX_NESTING)
    if program.layout is None:
        state.blocks = (
            {name: (run, state.part) for name, run in program.blocks.items()} if program.blocks else {}
        )
        program.run(state)
        return
    _write_with_layouts(program, state)


def _write_with_layouts(program: Program, state: State) -> None:
    """Write the outermost layout; a block is that of the innermost program that has it."""
    blocks = {name: (run, state.part) for name, run in program.blocks.items()}
    before, part = state.keys, state.part
    while program.layout is not None:
        key, line = program.layout
        try:
            program = state.enter(key)
            state.spend(program.steps)
        except Unfit as unfit:
            raise TemplateFailed(unfit.reason, line, state.part) from None
        state.part = key
        blocks = {**{name: (run, key) for name, run in program.blocks.items()}, **blocks}
    state.blocks = blocks
    program.run(state)
    state.keys, state.part = before, part
