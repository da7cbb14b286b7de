"""The lock files, as the house's rules read them."""

import re
from collections.abc import Iterable
from importlib.metadata import distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_PIN = re.compile(
    r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>\S+)(?: ; (?P<marker>[^\\]+?))?(?: --hash=sha256:[0-9a-f]{64})+"
)


def lines(lock: str) -> list[str]:
    """Return the lines of a lock file, each requirement with its hashes on one line."""
    joined = re.sub(r"\s*\\\n\s*", " ", lock)
    return [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]


def pins(lock: str) -> set[tuple[str, str, frozenset[str]]]:
    """Return name, version and hashes of each requirement, for all operating systems."""
    found = [(line, _PIN.fullmatch(line)) for line in lines(lock)]
    return {
        (pin["name"], pin["version"], frozenset(re.findall(r"--hash=(\S+)", line)))
        for line, pin in found
        if pin
    }


def loose(lock: str) -> list[str]:
    """Return the lines that pin no version or hash, or are an option of pip."""
    return [line for line in lines(lock) if not _PIN.fullmatch(line)]


def versions(lock: str) -> dict[str, str]:
    """Return the version of each package that a lock file pins."""
    pins = [_PIN.fullmatch(line) for line in lines(lock)]
    return {str(canonicalize_name(pin["name"])): pin["version"] for pin in pins if pin}


def closure(requirements: Iterable[str]) -> set[str]:
    """Return all packages that some requirements need, as they are installed here."""
    found: dict[str, set[str]] = {}
    ahead = [Requirement(text) for text in requirements]
    while ahead:
        requirement = ahead.pop()
        extras = {"", *requirement.extras}
        seen = found.setdefault(canonicalize_name(requirement.name), set())
        fresh = extras - seen
        seen |= extras
        below = [Requirement(text) for text in distribution(requirement.name).requires or [] if fresh]
        ahead += [
            needed
            for needed in below
            if not needed.marker or any(needed.marker.evaluate({"extra": extra}) for extra in fresh)
        ]
    return set(found)
