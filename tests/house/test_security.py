"""Holes in our code and in other packages are found, and SECURITY.md names a test behind each "may not"."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.house import sources
from tests.support.audit import find_faults
from xnovu_poller import settings

SECURITY = sources.text(Path("SECURITY.md"))
ACTORS = (
    "A tenant's login",
    "A producer's login",
    "An author",
    "Somebody with a key",
    "Somebody on the network",
    "Novu",
)
_SHOWN = re.compile(r"`([\w/]+\.py)::(test_\w+)`")
_SKIP = re.compile(r'^    "(B\d+)",(?: # (.+))?$', re.MULTILINE)


def rows_about(actor: str, text: str) -> list[str]:
    """Return the rows of the table of what somebody may not do."""
    section = text.partition(f"\n### {actor}\n")[2].partition("\n#")[0]
    return [line for line in section.splitlines() if line.startswith("| ")][2:]


@cache
def names_in(path: Path) -> frozenset[str]:
    """Return the names of the tests in a file; there are none if it does not exist."""
    tree = ast.parse(sources.text(path)) if path in sources.files() else ast.Module([], [])
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return frozenset(node.name for node in tree.body if isinstance(node, kinds))


def unproved(rows: list[str]) -> Iterator[str]:
    """Yield the rows without a test, and the tests that do not exist."""
    for row in rows:
        shown = _SHOWN.findall(row.split("|")[-2])
        if not shown:
            yield row
        for file, name in shown:
            if name not in names_in(Path("tests") / file):
                yield f"{file}::{name}"


@pytest.mark.parametrize("actor", ACTORS)
def test_a_test_stands_behind_each_may_not(actor: str) -> None:
    """If a test gets another name, the table gets it too."""
    rows = rows_about(actor, SECURITY)

    assert len(rows) > 5
    assert list(unproved(rows)) == []


def test_a_row_without_its_test_is_reported() -> None:
    """No test, another file, another name; a row may name several."""
    text = """
### Somebody

| may not | shown by |
| --- | --- |
| a | |
| b | `house/test_security.py::test_a_row_without_its_test_is_reported` |
| c | `house/test_security.py::test_nothing`, `house/test_nowhere.py::test_a` |

### Somebody else

| d | |
"""
    assert list(unproved(rows_about("Somebody", text))) == [
        "| a | |",
        "house/test_security.py::test_nothing",
        "house/test_nowhere.py::test_a",
    ]


def test_each_secret_may_stand_in_a_file() -> None:
    """The page of settings names each of these variables."""
    secrets = [row for row in settings.table() if row.secret]

    assert [
        row.variable for row in secrets if re.search("KEY$|TOKEN|PASSWORD|DSN|DATABASE_URL", row.variable)
    ]
    assert [
        row.file_variable
        for row in secrets
        if row.file_variable not in sources.text(Path("docs/settings.md"))
    ] == []


def test_each_rule_of_bandit_that_we_skip_has_its_reason() -> None:
    """It stands beside the rule."""
    section = sources.text(Path("pyproject.toml")).partition("[tool.bandit]")[2].partition("\n]")[0]

    assert section.count('"B') == len(_SKIP.findall(section)) > 0
    assert [rule for rule, reason in _SKIP.findall(section) if not reason] == []


def test_bandit_finds_a_hole_with_our_rules(tmp_path: Path) -> None:
    """Ruff has no rule for text that runs backwards in an editor."""
    (tmp_path / "hole.py").write_text('who = "admin\N{RIGHT-TO-LEFT OVERRIDE}"\n', encoding="utf-8")
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "bandit",
        "--quiet",
        "--configfile",
        sources.ROOT / "pyproject.toml",
    ]

    found = subprocess.run([*command, tmp_path / "hole.py"], capture_output=True, text=True, check=False)

    assert found.returncode == 1
    assert "B613" in found.stdout


def test_a_known_hole_and_a_package_that_was_not_compared_are_reported() -> None:
    """Silence of the service is no good news."""
    report = json.dumps({
        "dependencies": [
            {"name": "a", "version": "1", "vulns": []},
            {"name": "b", "version": "2", "vulns": [{"id": "X-1", "fix_versions": ["3"]}, {"id": "X-2", "fix_versions": []}]},
            {"name": "c", "skip_reason": "not found"},
        ],
        "fixes": [],
    })  # fmt: skip

    assert list(find_faults(report, {"X-2": "not used by us"})) == [
        "b 2: X-1, fixed in 3",
        "c: not compared: not found",
    ]
    assert "X-2, fixed in no version yet" in str(list(find_faults(report, {})))
    assert len(list(find_faults(""))) == 1
    nothing = json.dumps({"dependencies": [{"name": name, "skip_reason": "not found"} for name in "ab"]})
    assert [fault.partition(":")[0] for fault in find_faults(nothing)] == ["none of 2 packages was compared"]
