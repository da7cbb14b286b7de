"""Check payloads against schemas that tenants write.

A schema is weighed before it is compiled, and a check before it is begun: the process serves all enterprises, and
neither the library nor Python gives way in the middle. Reasons and figures: ADR 5.
"""

import json
from dataclasses import dataclass
from typing import Any

import jsonschema_rs

from xnovu_poller.cache import WeightedCache
from xnovu_poller.errors import PayloadInvalid
from xnovu_poller.schemas.patterns import MOST_SCANNED, Patterns, options, quote
from xnovu_poller.schemas.weigh import Weight, name_place, weigh

MOST_CHECKS = 10_000_000
"""Parts of the schema times values of the payload: above this, a check could block the process."""

MOST_PATTERN_CALLS = 100_000
"""Places of patterns times values of the payload."""

CACHED_BYTES = 96 << 20
"""The memory of all compiled schemas that a process keeps, as they are weighed."""

_PART_BYTES = 1_000
_BYTES_OF_A_VALUE = 100
"""Looking at this many bytes of text takes as long as looking at a value."""

_LONGEST_PATH = 200


class Schemas:
    """The compiled schemas, by their text; a text that cannot be used is remembered with the reason."""

    def __init__(self, cached_bytes: int = CACHED_BYTES) -> None:
        self._compiled: WeightedCache[_Compiled | str] = WeightedCache(cached_bytes)

    def compile(self, owner: str | None, schema: str) -> None:
        """Compile a schema, unless it is compiled; `check` then takes less time at once."""
        self._get(owner, schema)

    def find_fault(self, owner: str | None, schema: str) -> str | None:
        """Return why a schema cannot be used, without its subject; None if it can."""
        compiled = self._get(owner, schema)
        return compiled if isinstance(compiled, str) else None

    def check(self, owner: str | None, schema: str, payload: dict[str, Any], document: bytes) -> None:
        """Check a payload against a schema.

        Args:
            owner: the enterprise of the schema; None if it is global.
            schema: the JSON text.
            payload: the values.
            document: their JSON text, by which the cost is estimated.

        Raises:
            PayloadInvalid: the payload breaks a keyword of the schema, and the error has the path and the keyword,
                never the value; or the schema is not valid or too heavy, and the error has the limit.
        """
        compiled = self._get(owner, schema)
        if isinstance(compiled, str):
            raise PayloadInvalid("$", compiled)
        compiled.check(payload, document)

    def _get(self, owner: str | None, schema: str) -> "_Compiled | str":
        return self._compiled.get(owner, schema, lambda: _compile(schema))


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A schema that is ready for use."""

    text: str
    validator: jsonschema_rs.Validator
    weight: Weight
    patterns: Patterns

    def check(self, payload: dict[str, Any], document: bytes) -> None:
        self._check_cost(payload, document)
        self.patterns.begin()
        fault = self._find_fault(payload)
        if self.patterns.exhausted:
            raise PayloadInvalid("$", "is too large for the patterns of its payload_schema")
        if fault is not None:
            raise fault

    def _check_cost(self, payload: dict[str, Any], document: bytes) -> None:
        # Commas and brackets inside text count too, which errs on the side of caution.
        values = 1 + document.count(b",") + document.count(b"[") + document.count(b"{")
        work = self.weight.parts * (values + len(document) // _BYTES_OF_A_VALUE)
        if work > MOST_CHECKS or self.weight.patterns * values > MOST_PATTERN_CALLS:
            raise PayloadInvalid("$", "is too large for its payload_schema")
        if (
            self.weight.keys * len(document) > MOST_SCANNED
            and self.weight.keys * _count_keys(payload) > MOST_SCANNED
        ):
            raise PayloadInvalid("$", "has too many names for the patternProperties of its payload_schema")

    def _find_fault(self, payload: dict[str, Any]) -> PayloadInvalid | None:
        """Return the first broken rule, in a sentence of ours, because the library's message quotes the value."""
        try:
            self.validator.validate(payload)
        except jsonschema_rs.ValidationError as found:
            keyword = str(found.schema_path[-1]) if found.schema_path else "false"
            path = _path(found, _words(json.loads(self.text)))
            return PayloadInvalid(path, f"breaks {quote(keyword)} of the workflow's payload_schema")
        except ValueError:
            return PayloadInvalid("$", "is nested too deep")
        return None


def _compile(text: str) -> tuple[_Compiled | str, int]:
    """Return a compiled schema or why it cannot be used, and the memory that it takes."""
    try:
        compiled = _build(text)
    except PayloadInvalid as refusal:
        return refusal.reason, len(text)
    return compiled, len(text) + compiled.weight.parts * _PART_BYTES + compiled.patterns.memory


def _build(text: str) -> _Compiled:
    """Weigh a schema, then compile it."""
    schema, patterns = _read(text), Patterns()
    weight = weigh(schema, patterns)
    try:
        validator = jsonschema_rs.validator_for(
            schema, pattern_options=options(), offline=True, keywords={"pattern": patterns.keyword()}
        )
    except jsonschema_rs.ValidationError as fault:
        # It is a fault of the schema, so the path of the value leads to the keyword.
        place = name_place(fault.instance_path)
        raise PayloadInvalid.by_schema(f"is not a JSON Schema: {place} is not valid") from None
    except (jsonschema_rs.ReferencingError, ValueError):
        raise PayloadInvalid.by_schema("is not a JSON Schema: its $schema or $id is not valid") from None
    return _Compiled(text, validator, weight, patterns)


def _read(text: str) -> dict[str, Any]:
    try:
        schema = json.loads(text)
    except (ValueError, RecursionError):
        raise PayloadInvalid.by_schema(
            "is too large: it is nested too deep, or a number in it is too long"
        ) from None
    if not isinstance(schema, dict):
        raise PayloadInvalid.by_schema("is not a JSON Schema: it must be an object")
    return schema


def _path(fault: jsonschema_rs.ValidationError, words: set[str]) -> str:
    """Return the path of a fault; hide names that only the payload has, because they may identify a person."""
    path = "$"
    for step in fault.instance_path:
        path += f"[{step}]" if isinstance(step, int) else f".{step if step in words else '*'}"
    missing = getattr(fault.kind, "property", None)
    if missing and fault.schema_path[-1:] == ["required"]:
        path += f".{missing}"
    return path if len(path) <= _LONGEST_PATH else f"{path[:_LONGEST_PATH]}…"


def _words(node: object) -> set[str]:
    match node:
        case dict():
            return set(node).union(*map(_words, node.values()))
        case list():
            return set().union(*map(_words, node))
        case _:
            return set()


def _count_keys(payload: dict[str, Any]) -> int:
    """Return how many bytes the names of all properties have, and one for each."""
    total, waiting = 0, [payload]
    while waiting:
        node: Any = waiting.pop()
        if isinstance(node, dict):
            total += sum(1 + len(name.encode(errors="replace")) for name in node)
        waiting += node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return total
