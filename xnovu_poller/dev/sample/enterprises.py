"""The five enterprises of the demo, their buildings and subscribers."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

WARDENS = range(1, 13)
"""The numbers of the subscribers who are fire wardens."""


@dataclass(frozen=True, slots=True)
class SampleBuilding:
    """A building and its assembly point."""

    name: str
    assembly_point: str


@dataclass(frozen=True, slots=True)
class SampleEnterprise:
    """A tenant with its language (`en`, `zh`) and its buildings."""

    id: str
    language: str
    buildings: tuple[SampleBuilding, ...]

    def subscribers(self, numbers: range) -> tuple[str, ...]:
        """Return the opaque Novu subscriber ids for these numbers, in order."""
        return tuple(f"{self.id}-{number:04}" for number in numbers)


@dataclass(frozen=True, slots=True)
class SampleTopic:
    """A topic that must exist at Novu, with its subscribers, before a notification can address it."""

    enterprise_id: str
    key: str
    name: str
    subscribers: tuple[str, ...]

    @property
    def recipient(self) -> str:
        """The topic as a notification addresses it."""
        return f"topic:{self.key}"


@cache
def enterprises() -> tuple[SampleEnterprise, ...]:
    """Read the enterprises, in the order of their file."""
    text = (files(__package__) / "enterprises.toml").read_text(encoding="utf-8")
    return tuple(
        SampleEnterprise(
            id=entry["id"],
            language=entry["language"],
            buildings=tuple(SampleBuilding(**building) for building in entry["buildings"]),
        )
        for entry in tomllib.loads(text)["enterprise"]
    )


def enterprise(enterprise_id: str) -> SampleEnterprise:
    """Return one enterprise by its id."""
    return next(found for found in enterprises() if found.id == enterprise_id)


def topic(of: SampleEnterprise) -> SampleTopic:
    """Return an enterprise's topic: its fire wardens."""
    return SampleTopic(
        enterprise_id=of.id,
        key=f"{of.id}-fire-wardens",
        name=f"Fire wardens of {of.id}",
        subscribers=of.subscribers(WARDENS),
    )


def topics() -> tuple[SampleTopic, ...]:
    """Return every enterprise's topic."""
    return tuple(topic(each) for each in enterprises())
