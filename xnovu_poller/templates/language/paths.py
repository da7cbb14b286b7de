"""Reading members of JSON values: keys of objects, items of lists, characters of texts; never an attribute."""

import re
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from grapheme import graphemes

from xnovu_poller.templates.language.state import Read, State
from xnovu_poller.templates.language.values import Unfit, name_kind

_GRAPHEME_STEPS = 40
"""Steps for a character of a text in which several make a grapheme."""

MAX_GRAPHEME = 32
"""The most characters of a grapheme. Source: UAX 15, Stream-Safe Text Format, with its 30 non-starters."""

# Each character of these blocks is a grapheme, unless another character joins it.
_SIMPLE = re.compile(
    "[\x00-\x0c\x0e-\u02ff\u0370-\u0482\u048a-\u058f\u1e00-\u1fff\u2010-\u2027\u2030-\u205e\u20a0-\u20bf"
    "\u2100-\u2bff\u3001-\u3029\u3040-\u3098\u30a0-\u30ff\u3400-\u9fff\uac00-\ud7a3\uff01-\uff9d]*+"
)


def is_simple(text: str) -> bool:
    """Return whether each character of a text is surely a grapheme by itself."""
    return (text.isascii() and "\r" not in text) or _SIMPLE.fullmatch(text) is not None


def split_graphemes(state: State, text: str, most: int) -> list[str]:
    """Return the first graphemes of a text.

    Args:
        state: pays for the characters that are looked at.
        text: any text.
        most: how many graphemes, at most.
    """
    state.spend(min(most, len(text)) // 32)
    # The character behind the last could join it.
    if is_simple(text[: most + 1]):
        return list(text[:most])
    found = []
    for grapheme in graphemes(text[: most * MAX_GRAPHEME]):
        state.spend(_GRAPHEME_STEPS * len(grapheme))
        found.append(grapheme)
        if len(found) == most:
            break
    return found


def read_member(state: State, value: Any, key: object) -> Any:  # noqa: ANN401 - any value of JSON
    """Return a member of an object, a list or a text.

    Raises:
        LookupError: there is none.
        Unfit: the key is neither a text nor a whole number.
    """
    if type(key) is str:
        if type(value) is dict:
            return value[key]
    elif type(key) is not int:
        raise Unfit(f"a key or an index is a text or a whole number, not {name_kind(key)}")
    elif type(value) is list:
        return value[key]
    elif type(value) is str:
        return split_graphemes(state, value, key + 1 if key >= 0 else len(value))[key]
    raise LookupError


def read_slice(state: State, value: Any, start: object, stop: object) -> Any:  # noqa: ANN401 - any value of JSON
    """Return a slice of a list or a text, counted in graphemes.

    Raises:
        Unfit: the value is neither, or a bound is no whole number.
    """
    first, end = _read_bound(start), _read_bound(stop)
    if type(value) not in {list, str}:
        raise Unfit(f"{name_kind(value)} has no slices, only a text or a list")
    if type(value) is list:
        state.spend(len(value) // 8)
        return value[first:end]
    state.grow(len(value))
    if is_simple(value):
        return value[first:end]
    is_forward = end is not None and end >= 0 and (first is None or first >= 0)
    found = split_graphemes(state, value, end if end is not None and is_forward else len(value))
    return "".join(found[first:end])


def _read_bound(bound: object) -> int | None:
    if bound is None or type(bound) is int:
        return bound
    raise Unfit(f"the bound of a slice is a whole number, not {name_kind(bound)}")


def spell(name: str, keys: Sequence[str | int]) -> str:
    """Return a path as a template has it."""
    steps = (f".{key}" if isinstance(key, str) and key.isidentifier() else f"[{key!r}]" for key in keys)
    return name + "".join(steps)


def path(name: str, keys: tuple[str | int, ...], base: Read, *, lenient: bool) -> Read:
    """Return the reader of a path.

    Args:
        name: its name, for errors.
        keys: the keys and indexes behind it.
        base: returns the value before the keys.
        lenient: a missing value is null; otherwise it is an error that names it.
    """

    def read(state: State) -> Any:  # noqa: ANN401 - any value of JSON
        try:
            value = base(state)
            for key in keys:
                value = read_member(state, value, key)
        except LookupError:
            return None if lenient else _fail(state, name, keys, base)
        return value

    return read


def path_of_variable(name: str, keys: tuple[str | int, ...], *, lenient: bool) -> Read:
    """Return the reader of a path that begins with a variable: `path`, without a call for each step."""

    def read(state: State) -> Any:  # noqa: ANN401 - any value of JSON
        try:
            value = state.variables[name]
            for key in keys:
                value = value[key] if type(value) is dict else read_member(state, value, key)
        except LookupError:
            return None if lenient else _fail(state, name, keys, lambda state: state.variables[name])
        return value

    return read


def path_of_item(name: str, keys: tuple[str | int, ...], place: int, *, lenient: bool) -> Read:
    """Return the reader of a path that begins with the item of a loop, at its place in the frame."""

    def read(state: State) -> Any:  # noqa: ANN401 - any value of JSON
        try:
            value = state.frame[place]
            for key in keys:
                value = value[key] if type(value) is dict else read_member(state, value, key)
        except LookupError:
            return None if lenient else _fail(state, name, keys, lambda state: state.frame[place])
        return value

    return read


def _fail(state: State, name: str, keys: tuple[str | int, ...], base: Read) -> NoReturn:
    """Raise the error that names a path as far as the first of its keys that is missing."""
    known = -1
    try:
        value = base(state)
        for key in keys:
            known += 1
            value = read_member(state, value, key)
    except LookupError:
        pass
    missing = spell(name, keys[: known + 1])
    raise Unfit(f"{missing} is missing; add it to the payload or the defaults, or write `or '…'`") from None


def length(value: object) -> int:
    """Return the number of items of a list or an object, or of characters of a text."""
    if type(value) in {str, list, dict}:
        return len(value)  # type: ignore[arg-type] # checked in the line above
    raise Unfit(f"{name_kind(value)} has no length, only a text, a list or an object")


def contains(state: State, item: object, value: object, is_equal: Callable[[object, object], bool]) -> bool:
    """Return whether an item is in a list, a text in a text, or a key in an object."""
    if type(value) is str and type(item) is str:
        # Python compares up to a hundred characters at each place.
        state.spend(len(value) // 32)
        return item in value
    if type(value) is dict:
        return type(item) is str and item in value
    if type(value) is list or type(value) is tuple:
        state.spend(len(value))
        return any(is_equal(item, each) for each in value)
    raise Unfit(f"{name_kind(item)} cannot be in {name_kind(value)}")
