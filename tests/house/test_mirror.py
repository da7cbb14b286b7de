"""Where a module is, its test is."""

from collections.abc import Collection
from pathlib import Path

import pytest

from tests.house import sources

EXEMPT = {"__init__.py", "__main__.py"}
UNIT_TESTS = [
    path for path in sources.python("tests") if path.parts[1] == "unit" and path.name.startswith("test_")
]


# The stand-in is walked as a whole over its wire, every path and method: tests/integration/dev/standin.
WALKED = {Path("xnovu_poller/dev/standin")}


def mirrored(module: Path, tests: Collection[Path]) -> bool:
    """Say whether a module's test stands in its mirror place, or that of the folder it was split into."""
    own = Path(*module.parts[1:-1]) / f"test_{module.name}"
    folder = Path(*module.parts[1:-2]) / f"test_{module.parent.name}.py"
    return any(
        Path("tests", kind) / place in tests for kind in ("unit", "integration") for place in (own, folder)
    )


def places(test: Path) -> tuple[Path, Path]:
    """Give the two places where the module of a unit test may stand: a file, or a folder of its name."""
    file = Path("xnovu_poller", *test.parts[2:-1]) / test.name.removeprefix("test_")
    return file, file.with_suffix("") / "__init__.py"


def parent_of(test: Path) -> Path:
    """Give the test of which this one is a part: `test_client_bulk.py` is a part of `test_client.py`."""
    return test.with_name(test.stem.rpartition("_")[0] + ".py")


MODULES = [
    path for path in sources.python("xnovu_poller") if path.name not in EXEMPT and path.parent not in WALKED
]


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_each_module_has_its_test(module: Path) -> None:
    """A module without a test of the same name cannot be found by its reader."""
    assert mirrored(module, sources.files())


@pytest.mark.parametrize("test", UNIT_TESTS, ids=str)
def test_each_unit_test_has_its_module(test: Path) -> None:
    """A test whose module has moved has to move too."""
    assert any(place in sources.files() for one in (test, parent_of(test)) for place in places(one))


def test_a_missing_test_would_be_seen() -> None:
    """The right name in the wrong folder is no mirror."""
    module = Path("xnovu_poller/loops/new.py")

    assert mirrored(module, [Path("tests/integration/loops/test_new.py")])
    assert mirrored(module, [Path("tests/unit/test_loops.py")])
    assert not mirrored(module, [Path("tests/unit/test_new.py"), Path("tests/faults/loops/test_new.py")])


def test_an_orphan_would_be_seen() -> None:
    """A unit test names exactly one module."""
    file, folder = places(Path("tests/unit/loops/test_new.py"))

    assert (file, folder) == (Path("xnovu_poller/loops/new.py"), Path("xnovu_poller/loops/new/__init__.py"))
