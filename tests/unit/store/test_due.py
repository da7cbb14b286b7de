"""The text of the claims."""

import re
from pathlib import Path

import pytest

from tests.support import snapshots
from xnovu_poller.store.due import FAILED, NEW, SCHEDULED, Due, claim_sql

LOOPS = pytest.mark.parametrize("due", [NEW, SCHEDULED, FAILED], ids=lambda due: due.name)
BINDS = {"after", "max_in_flight", "spin", "lease", "prefix", "group_size", "groups"}


def binds(told: str) -> set[str]:
    """Name what a statement binds."""
    return set(re.findall(r"(?<!:):(\w+)", told))


@pytest.mark.parametrize(
    ("path", "told"), snapshots.wanted().items(), ids=lambda part: getattr(part, "name", "")
)
def test_a_claim_is_the_one_that_was_read(path: Path, told: str) -> None:
    """If the change is meant: `python -m tests.support.snapshots`, and read the diff."""
    assert path.read_text() == told


def test_no_snapshot_is_left_over() -> None:
    """Each file is a loop's."""
    assert set(snapshots.FOLDER.iterdir()) == set(snapshots.wanted())


@LOOPS
def test_states_and_limit_are_literals(due: Due) -> None:
    """With a bound state the generic plan scans the table."""
    told = claim_sql(due, 77, named=False)

    assert binds(told) == BINDS
    assert "LIMIT 77" in told
    assert "{" not in told.replace("'{", "")


@LOOPS
def test_named_enterprises_are_bound(due: Due) -> None:
    """They come from the settings, and are never written into the text."""
    assert binds(claim_sql(due, 77, named=True)) == BINDS | {"enterprises"}


@LOOPS
def test_a_claim_passes_over_what_others_hold(due: Due) -> None:
    """Every lock of a row skips the locked."""
    told = claim_sql(due, 77, named=False)

    assert told.count("FOR UPDATE") == told.count("FOR UPDATE SKIP LOCKED") == 2
