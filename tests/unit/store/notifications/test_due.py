"""The text of the claims."""

import re
from pathlib import Path

import pytest

from tests.support import snapshots
from xnovu_poller.store.notifications.due import FAILED, NEW, SCHEDULED, Due, EnterpriseScope, claim_sql

LOOPS = pytest.mark.parametrize("due", [NEW, SCHEDULED, FAILED], ids=lambda due: due.name)
REMEMBERED = {"counting", "holders", "held", "known", "marks"}
BINDS = REMEMBERED | {"after", "places", "max_in_flight", "spin", "lease", "prefix", "group_size", "groups"}


def binds(told: str) -> set[str]:
    """Name what a statement binds."""
    return set(re.findall(r"(?<!:):(\w+)", told))


@pytest.mark.parametrize(
    ("path", "told"), snapshots.wanted().items(), ids=lambda part: getattr(part, "name", "")
)
def test_a_statement_is_the_one_that_was_read(path: Path, told: str) -> None:
    """If the change is meant: `make snapshots`, and read the diff."""
    assert path.read_text() == told


def test_no_snapshot_is_left_over() -> None:
    """Each file is a claim's or an arrow's."""
    assert set(snapshots.FOLDER.iterdir()) == set(snapshots.wanted())


@pytest.mark.parametrize("ring", [EnterpriseScope.ALL, EnterpriseScope.KNOWN])
@LOOPS
def test_states_and_limit_are_literals(due: Due, ring: EnterpriseScope) -> None:
    """With a bound state the generic plan scans the table."""
    told = claim_sql(due, 77, ring).text

    assert binds(told) == (BINDS if due is NEW else BINDS | {"times"})
    assert "LIMIT 77" in told
    assert "{" not in told.replace("'{", "")


@LOOPS
def test_named_enterprises_are_bound(due: Due) -> None:
    """They come from the settings, and are never written into the text."""
    told = claim_sql(due, 77, EnterpriseScope.NAMED).text

    assert binds(told) - {"times"} == BINDS | {"enterprises"}


@LOOPS
def test_a_claim_passes_over_what_others_hold(due: Due) -> None:
    """Every lock of a row skips the locked: of a notification, by age and by priority, and of a limit."""
    told = claim_sql(due, 77, EnterpriseScope.ALL).text

    assert told.count("FOR UPDATE") == told.count("FOR UPDATE SKIP LOCKED") == 3


def test_a_statement_is_written_once() -> None:
    """However many places the gate leaves: the server's plan is kept with its text."""
    assert claim_sql(NEW, 77, EnterpriseScope.ALL) is claim_sql(NEW, 77, EnterpriseScope.ALL)
