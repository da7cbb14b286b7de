"""A cache whose bound is weight, and in which no enterprise can push out what another uses."""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class WeightedCache(Generic[Value]):
    """Keeps values by owner and key, up to a total weight.

    While it is too heavy, the heaviest owner loses the value that it has not used for longest. So an owner that makes
    many or heavy values pushes out only its own.

    Args:
        limit: the greatest total weight, in the unit of the weights.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        # The first entry of each inner dictionary is the least recently used.
        self._kept: dict[str | None, dict[Hashable, tuple[Value, int]]] = {}
        self._weights: dict[str | None, int] = {}
        self.weight = 0

    def find(self, owner: str | None, key: Hashable) -> Value | None:
        """Return the value of a key, if it is kept."""
        kept = self._kept.get(owner, {})
        if key not in kept:
            return None
        kept[key] = entry = kept.pop(key)
        return entry[0]

    def get(self, owner: str | None, key: Hashable, make: Callable[[], tuple[Value, int]]) -> Value:
        """Return the value of a key, or make it and keep it.

        Args:
            owner: the enterprise that it belongs to; None for a global value.
            make: returns the value and its weight.
        """
        kept = self._kept.get(owner, {})
        entry = kept.pop(key, None)
        if entry is None:
            entry = make()
            self._add(owner, entry[1])
        # `kept` may have been dropped with its last entry.
        self._kept.setdefault(owner, kept)[key] = entry
        while self.weight > self._limit:
            self._drop_one()
        return entry[0]

    def __len__(self) -> int:
        """Return how many values are kept."""
        return sum(map(len, self._kept.values()))

    def _add(self, owner: str | None, weight: int) -> None:
        self.weight += weight
        self._weights[owner] = self._weights.get(owner, 0) + weight

    def _drop_one(self) -> None:
        heaviest = max(self._weights, key=self._weights.__getitem__)
        kept = self._kept[heaviest]
        _, weight = kept.pop(next(iter(kept)))
        self._add(heaviest, -weight)
        if not kept:
            del self._kept[heaviest], self._weights[heaviest]
