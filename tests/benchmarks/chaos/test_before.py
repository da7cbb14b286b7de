"""The version before, as git knows it."""

import re

from benchmarks.chaos.before import FIRST_REVISION, default_commit
from tests.house import sources
from tests.support.migrating import VERSION_BEFORE


def test_the_version_before_ends_where_this_version_begins() -> None:
    """The first migration of this version is the next after the last of the version before."""
    number = re.search(r"/(\d{4})_", FIRST_REVISION)
    assert number is not None

    assert int(number[1]) == int(VERSION_BEFORE[:4]) + 1
    assert default_commit() == "HEAD" or list(sources.ROOT.glob(FIRST_REVISION))
