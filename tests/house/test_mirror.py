"""The tests mirror the package."""

from collections.abc import Collection
from pathlib import Path

from tests.house import sources

EXEMPT = {"__init__.py", "__main__.py"}
UNIT_TESTS = [
    path for path in sources.python("tests") if path.parts[1] == "unit" and path.name.startswith("test_")
]


# The stand-in is tested as a whole, with every path and method: tests/integration/dev/standin.
TESTED_AS_A_WHOLE = {Path("xnovu_poller/dev/standin")}


def mirrored(module: Path, tests: Collection[Path]) -> bool:
    """Return whether a module's test is in its mirror place, or in that of the folder that it was split into."""
    own = Path(*module.parts[1:-1]) / f"test_{module.name}"
    folder = Path(*module.parts[1:-2]) / f"test_{module.parent.name}.py"
    return any(
        Path("tests", kind) / place in tests for kind in ("unit", "integration") for place in (own, folder)
    )


def places(test: Path) -> tuple[Path, Path]:
    """Return the two possible modules of a unit test: a file, or a folder of its name."""
    file = Path("xnovu_poller", *test.parts[2:-1]) / test.name.removeprefix("test_")
    return file, file.with_suffix("") / "__init__.py"


def parent_of(test: Path) -> Path:
    """Return the test that this test is a part of: `test_client_bulk.py` is a part of `test_client.py`."""
    return test.with_name(test.stem.rpartition("_")[0] + ".py")


MODULES = [
    path
    for path in sources.python("xnovu_poller")
    if path.name not in EXEMPT and path.parent not in TESTED_AS_A_WHOLE
]


def test_each_module_has_its_test() -> None:
    """Readers look for a module's test under the module's name."""
    assert [str(module) for module in MODULES if not mirrored(module, sources.files())] == []


def test_each_unit_test_has_its_module() -> None:
    """If a module moves, its test has to move too."""
    files = set(sources.files())

    assert [
        str(test) for test in UNIT_TESTS if files.isdisjoint(places(test) + places(parent_of(test)))
    ] == []


def test_a_missing_test_is_reported() -> None:
    """The right name in the wrong folder does not count."""
    module = Path("xnovu_poller/loops/new.py")

    assert mirrored(module, [Path("tests/integration/loops/test_new.py")])
    assert mirrored(module, [Path("tests/unit/test_loops.py")])
    assert not mirrored(module, [Path("tests/unit/test_new.py"), Path("tests/faults/loops/test_new.py")])


def test_a_unit_test_has_two_possible_modules() -> None:
    """No other module counts."""
    file, folder = places(Path("tests/unit/loops/test_new.py"))

    assert (file, folder) == (Path("xnovu_poller/loops/new.py"), Path("xnovu_poller/loops/new/__init__.py"))
