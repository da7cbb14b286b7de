"""What a schema costs: its parts, with all references followed, and its patterns.

It is walked as JSON Schema reads it: only where a subschema may stand. `enum`, `const`, `default` and `examples` hold
data, and what looks like a keyword in them means nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote

from xnovu_poller.errors import PayloadInvalid
from xnovu_poller.schemas.patterns import Patterns, quote

MOST_PARTS = 10_000
"""The most parts of a schema, counted with all references followed: twenty lines can amount to billions."""

MOST_PARTS_BESIDE_UNEVALUATED = 500
"""The limit if `unevaluatedProperties` or `unevaluatedItems` is used: each looks through everything beside it."""

DEEPEST = 100
"""The most levels of a schema, with all references followed."""

_SCHEMAS = frozenset(
    {
        "additionalItems",
        "additionalProperties",
        "contains",
        "contentSchema",
        "else",
        "if",
        "items",
        "not",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
"""Keywords whose value is a schema; that of `items` may also be a list of schemas."""

_LISTS = frozenset({"allOf", "anyOf", "items", "oneOf", "prefixItems"})
"""Keywords whose value is a list of schemas."""

_MAPS = frozenset(
    {"$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"}
)
"""Keywords whose value is an object of schemas."""

# The target of these keywords depends on the path by which they are reached.
_WANDERING = frozenset({"$dynamicRef", "$recursiveRef"})
_UNEVALUATED = frozenset({"unevaluatedProperties", "unevaluatedItems"})


@dataclass(frozen=True, slots=True)
class Weight:
    """What a schema costs, with all references followed.

    Attributes:
        parts: how many values it has.
        patterns: how many places of `pattern` it has.
        keys: bytes of the patterns that run on names of properties.
        depth: how many schemas are inside each other.
    """

    parts: int = 0
    patterns: int = 0
    keys: int = 0
    depth: int = 0

    def __add__(self, other: "Weight") -> "Weight":
        """Return the cost of two neighbours."""
        return Weight(
            self.parts + other.parts,
            self.patterns + other.patterns,
            self.keys + other.keys,
            max(self.depth, other.depth),
        )


def weigh(schema: dict[str, Any], patterns: Patterns) -> Weight:
    """Return what a schema costs, and add its patterns.

    Raises:
        PayloadInvalid: it is too large or too deep, or refers to itself, or otherwise than by `#/`.
    """
    weighing = _Weighing(schema, patterns)
    try:
        weight = weighing.weigh(schema)
    except PayloadInvalid as refusal:
        raise PayloadInvalid("$", f"{refusal.reason}, at {name_place(weighing.at)}") from None
    except RecursionError:
        weight = Weight(depth=DEEPEST + 1)
    if weight.depth > DEEPEST:
        raise PayloadInvalid.by_schema(
            f"is too large: it is nested deeper than {DEEPEST} levels, references followed"
        )
    most = MOST_PARTS_BESIDE_UNEVALUATED if weighing.unevaluated else MOST_PARTS
    if weight.parts > most:
        beside = " where it uses `unevaluated…`" if weighing.unevaluated else ""
        raise PayloadInvalid.by_schema(f"is too large: it may have {most} parts{beside}, references followed")
    return weight


@dataclass(slots=True)
class _Weighing:
    """Weighs one schema.

    Attributes:
        unevaluated: the schema uses `unevaluatedProperties` or `unevaluatedItems`.
        at: the path to the part that is weighed; after a refusal, to the part that was refused.
    """

    root: dict[str, Any]
    patterns: Patterns
    unevaluated: bool = False
    at: list[str | int] = field(default_factory=list)
    _known: dict[str, Weight] = field(default_factory=dict)
    _following: set[str] = field(default_factory=set)

    def weigh(self, schema: object, *, rebased: bool = False) -> Weight:
        """Weigh a place where a schema may stand.

        Args:
            rebased: references there are relative to a nested `$id`, so `#/` does not mean the whole schema.
        """
        if not isinstance(schema, dict):
            return Weight(1)
        self.unevaluated |= not _UNEVALUATED.isdisjoint(schema)
        rebased = rebased or self._is_base(schema)
        total = Weight(1)
        for name, value in schema.items():
            self.at.append(name)
            total += self._weigh_keyword(name, value, rebased=rebased)
            self.at.pop()
            if total.parts > MOST_PARTS:
                break
        return replace(total, depth=total.depth + 1)

    def _weigh_member(self, name: str | int, schema: object, *, rebased: bool) -> Weight:
        self.at.append(name)
        weight = self.weigh(schema, rebased=rebased)
        self.at.pop()
        return weight

    def _weigh_keyword(self, name: str, value: object, *, rebased: bool) -> Weight:
        if name in _WANDERING or (name == "$ref" and isinstance(value, str)):
            return Weight(1) + self._follow(name, str(value), rebased=rebased)
        if name == "pattern" and isinstance(value, str):
            self.patterns.add(value)
            return Weight(1, patterns=1)
        return self._weigh_subschemas(name, value, rebased=rebased)

    def _weigh_subschemas(self, name: str, value: object, *, rebased: bool) -> Weight:
        if isinstance(value, dict) and name in _MAPS:
            return self._weigh_map(name, value, rebased=rebased)
        if isinstance(value, list) and name in _LISTS:
            parts = (self._weigh_member(index, part, rebased=rebased) for index, part in enumerate(value))
            return sum(parts, Weight(1))
        if isinstance(value, dict) and name in _SCHEMAS:
            found = self.weigh(value, rebased=rebased)
            # The library keeps a copy of the schema in `not`.
            return found + found if name == "not" else found
        return Weight(_count(value))

    def _weigh_map(self, name: str, schemas: dict[str, Any], *, rebased: bool) -> Weight:
        keys = sum(map(self.patterns.add, schemas)) if name == "patternProperties" else 0
        parts = (self._weigh_member(key, part, rebased=rebased) for key, part in schemas.items())
        return sum(parts, Weight(1, keys=keys))

    def _follow(self, name: str, reference: str, *, rebased: bool) -> Weight:
        if name in _WANDERING or rebased or reference.partition("/")[0] != "#":
            raise _unfollowed(name, reference, "cannot be followed here")
        if reference in self._following:
            raise _unfollowed(name, reference, "leads back to itself")
        if reference not in self._known:
            self._following.add(reference)
            before = self.at
            target, rebased = self._resolve(reference)
            self.at = list(_split(reference))
            self._known[reference] = self.weigh(target, rebased=rebased)
            self.at = before
            self._following.remove(reference)
        return self._known[reference]

    def _resolve(self, reference: str) -> tuple[object, bool]:
        """Return the node that a JSON pointer names, and whether a nested `$id` is above it; `#` is the root."""
        node: Any = self.root
        rebased = False
        for name in _split(reference):
            rebased |= isinstance(node, dict) and self._is_base(node)
            try:
                node = node[int(name)] if isinstance(node, list) else node[name]
            except (LookupError, TypeError, ValueError):
                raise _unfollowed("$ref", reference, "leads nowhere") from None
        return node, rebased

    def _is_base(self, schema: dict[str, Any]) -> bool:
        """Return whether references in a schema are relative to it, because its id is more than a fragment."""
        if schema is self.root:
            return False
        id_ = schema.get("id" if "draft-04" in str(self.root.get("$schema")) else "$id")
        return "$schema" in schema or (isinstance(id_, str) and not id_.startswith("#"))


def _split(reference: str) -> list[str]:
    """Return the steps of a JSON pointer."""
    steps = unquote(reference).split("/")[1:]
    return [step.replace("~1", "/").replace("~0", "~") for step in steps]


def name_place(path: Iterable[str | int]) -> str:
    """Return the JSON pointer of a place in a schema, for a sentence."""
    steps = (str(step).replace("~", "~0").replace("/", "~1") for step in path)
    return quote("".join(f"/{step}" for step in steps) or "/", 200)


def _unfollowed(name: str, reference: str, reason: str) -> PayloadInvalid:
    return PayloadInvalid.by_schema(
        f"refers to itself, or otherwise than by #/: {name} {quote(reference)} {reason}"
    )


def _count(value: object) -> int:
    """Return how many values a value of JSON consists of."""
    match value:
        case dict():
            return 1 + sum(map(_count, value.values()))
        case list():
            return 1 + sum(map(_count, value))
        case _:
            return 1
