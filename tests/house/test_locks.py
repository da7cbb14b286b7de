"""The lock files contain all that pyproject.toml requires, with hashes, and agree with each other."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.house import locks, sources

PROJECT = tomllib.loads(sources.text(Path("pyproject.toml")))
EXTRAS: Mapping[str, list[str]] = PROJECT["project"]["optional-dependencies"]
# What the image has: `SHIPPED` in the Makefile.
RUNTIME: list[str] = [*PROJECT["project"]["dependencies"], *EXTRAS["sentry"], *EXTRAS["otel"]]
DEVELOPMENT: list[str] = [*RUNTIME, *EXTRAS["dev-stack"], *PROJECT["dependency-groups"]["dev"]]

MAKEFILE = sources.text(Path("Makefile"))
RUNTIME_LOCK = sources.text(Path("requirements.lock"))
DEVELOPMENT_LOCK = sources.text(Path("requirements-dev.lock"))

HASH = "--hash=sha256:" + "0" * 64


def unmet(requirements: Iterable[str], pinned: Mapping[str, str]) -> Iterator[str]:
    """Yield the requirements that a lock does not meet."""
    for text in requirements:
        requirement = Requirement(text)
        version = pinned.get(canonicalize_name(requirement.name))
        if version is None or version not in requirement.specifier:
            yield text


@pytest.mark.parametrize("lock", [RUNTIME_LOCK, DEVELOPMENT_LOCK], ids=["runtime", "development"])
def test_a_lock_pins_only_by_version_and_hash(lock: str) -> None:
    """There is no range, option or index: pip takes exactly these files, from any index."""
    assert locks.lines(lock)
    assert locks.loose(lock) == []


@pytest.mark.parametrize(
    ("requirements", "lock"),
    [(RUNTIME, RUNTIME_LOCK), (DEVELOPMENT, DEVELOPMENT_LOCK)],
    ids=["runtime", "development"],
)
def test_a_lock_contains_all_requirements_of_the_project(requirements: list[str], lock: str) -> None:
    """It also contains the requirements of the requirements."""
    pinned = locks.versions(lock)

    assert list(unmet(requirements, pinned)) == []
    assert locks.closure(requirements) - set(pinned) == set()


def test_a_lock_without_an_extra_of_the_image_is_reported() -> None:
    """The first package of each is taken out of the lock."""
    for extra in ("sentry", "otel"):
        pinned = locks.versions(RUNTIME_LOCK)
        assert f"--extra {extra}" in MAKEFILE
        del pinned[canonicalize_name(Requirement(EXTRAS[extra][0]).name)]
        assert list(unmet(RUNTIME, pinned)) == EXTRAS[extra][:1]


def test_both_locks_agree() -> None:
    """The tested versions are the shipped versions, because the development lock contains the runtime lock."""
    assert locks.pins(RUNTIME_LOCK) <= locks.pins(DEVELOPMENT_LOCK)
    assert len(locks.pins(RUNTIME_LOCK)) == len(locks.lines(RUNTIME_LOCK))


@pytest.mark.parametrize(
    "line",
    [
        "click==8.5.1",
        f"click>=8 {HASH}",
        f"click {HASH}",
        "click==8.5.1 --hash=sha256:0",
        f"click==8.5.1 --hash=md5:0 {HASH}",
        "-r other.lock",
        "--index" + "-url https://mirror.example",
        "-e .",
    ],
)
def test_a_loose_line_is_reported(line: str) -> None:
    """It is reported among good lines with or without a marker."""
    good = f"alembic==1.20.1 \\\n    {HASH} \\\n    {HASH}\ncolorama==0.4 ; sys_platform == 'win32' \\\n    {HASH}\n"

    assert locks.loose(good) == []
    assert locks.loose(f"# a comment\n{good}{line}\n") == [line]


@pytest.mark.parametrize("pinned", [{}, {"click": "8.0"}, {"clicks": "8.5"}])
def test_an_unmet_requirement_is_reported(pinned: dict[str, str]) -> None:
    """The package is missing or too old; names are compared as pip does."""
    assert list(unmet(["Click>=8.1"], pinned)) == ["Click>=8.1"]
    assert list(unmet(["Click>=8.1"], {"click": "8.5"})) == []


def test_requirements_of_an_extra_count() -> None:
    """They count only if the extra is required."""
    assert "psycopg-pool" in locks.closure(["psycopg[pool]"])
    assert "psycopg-pool" not in locks.closure(["psycopg"])
    assert locks.closure(["psycopg", "psycopg[pool]"]) == locks.closure(["psycopg[pool]"])
