"""Templates that a hostile author might write, each with the place and the reason of its refusal.

They lie in `tests/unit/templates/hostile`, a file for each family. Many call `canary`, so that a test can show that no
code in them ran.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

FOLDER = Path(__file__).parents[1] / "unit" / "templates" / "hostile"


@dataclass(frozen=True, slots=True)
class Hostile:
    """A hostile template.

    Attributes:
        place: line and column of the refusal.
        reason: the beginning of its sentence.
    """

    family: str
    text: str
    place: tuple[int, int]
    reason: str

    @override
    def __str__(self) -> str:
        """Return a short name for the report of a test."""
        return f"{self.family}-{ascii(self.text)[:60]}"


def _read(path: Path) -> list[Hostile]:
    return [
        Hostile(
            path.stem,
            case.get("before", "") + case["text"] * case.get("times", 1) + case.get("after", ""),
            (case["place"][0], case["place"][1]),
            case["reason"],
        )
        for case in tomllib.loads(path.read_text(encoding="utf-8"))["case"]
    ]


HOSTILE = [case for path in sorted(FOLDER.glob("*.toml")) for case in _read(path)]
