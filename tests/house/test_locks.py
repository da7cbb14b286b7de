"""The lock files hold all that pyproject.toml asks for, hash by hash, and agree with each other."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.house import locks, sources

PROJECT = tomllib.loads(sources.text(Path("pyproject.toml")))
RUNTIME: list[str] = PROJECT["project"]["dependencies"]
EXTRAS: list[str] = PROJECT["project"]["optional-dependencies"]["dev-stack"]
DEVELOPMENT: list[str] = [*RUNTIME, *EXTRAS, *PROJECT["dependency-groups"]["dev"]]

RUNTIME_LOCK = sources.text(Path("requirements.lock"))
DEVELOPMENT_LOCK = sources.text(Path("requirements-dev.lock"))

HASH = "--hash=sha256:" + "0" * 64


def unmet(asked: Iterable[str], pinned: Mapping[str, str]) -> Iterator[str]:
    """Give the requirements that a lock does not hold, or holds in another version than was asked for."""
    for text in asked:
        requirement = Requirement(text)
        version = pinned.get(canonicalize_name(requirement.name))
        if version is None or version not in requirement.specifier:
            yield text


@pytest.mark.parametrize("lock", [RUNTIME_LOCK, DEVELOPMENT_LOCK], ids=["runtime", "development"])
def test_a_lock_pins_by_version_and_hash_alone(lock: str) -> None:
    """No range, no option, no index: pip takes these very files, from wherever its user lets it."""
    assert locks.lines(lock)
    assert locks.loose(lock) == []


@pytest.mark.parametrize(
    ("asked", "lock"),
    [(RUNTIME, RUNTIME_LOCK), (DEVELOPMENT, DEVELOPMENT_LOCK)],
    ids=["runtime", "development"],
)
def test_a_lock_holds_what_the_project_asks_for(asked: list[str], lock: str) -> None:
    """Directly, in a version that was asked for, and all that is needed below."""
    pinned = locks.versions(lock)

    assert list(unmet(asked, pinned)) == []
    assert locks.closure(asked) - set(pinned) == set()


def test_both_locks_agree() -> None:
    """What is tested is what is shipped: the development lock is the runtime lock and more."""
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
def test_a_loose_line_would_be_seen(line: str) -> None:
    """Beside a good one, with or without a marker, over several lines."""
    good = f"alembic==1.20.1 \\\n    {HASH} \\\n    {HASH}\ncolorama==0.4 ; sys_platform == 'win32' \\\n    {HASH}\n"

    assert locks.loose(good) == []
    assert locks.loose(f"# a comment\n{good}{line}\n") == [line]


@pytest.mark.parametrize("pinned", [{}, {"click": "8.0"}, {"clicks": "8.5"}])
def test_an_unmet_requirement_would_be_seen(pinned: dict[str, str]) -> None:
    """Absent or too old; names are compared as pip does."""
    assert list(unmet(["Click>=8.1"], pinned)) == ["Click>=8.1"]
    assert list(unmet(["Click>=8.1"], {"click": "8.5"})) == []


def test_a_need_behind_an_extra_would_be_seen() -> None:
    """An extra brings its own, and only where it was asked for."""
    assert "psycopg-pool" in locks.closure(["psycopg[pool]"])
    assert "psycopg-pool" not in locks.closure(["psycopg"])
    assert locks.closure(["psycopg", "psycopg[pool]"]) == locks.closure(["psycopg[pool]"])
