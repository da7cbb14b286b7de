"""The SQL text of the claims."""

import re

import pytest

from xnovu_poller.store.notifications.claim_sql import claim_sql
from xnovu_poller.store.notifications.due import FAILED, NEW, SCHEDULED, Due
from xnovu_poller.store.notifications.round_sql import EnterpriseScope

LOOPS = pytest.mark.parametrize("due", [NEW, SCHEDULED, FAILED], ids=lambda due: due.name)
REMEMBERED = {"counting", "holders", "held", "known", "marks"}
ROUNDS = {
    EnterpriseScope.ALL: {"login", "logins", "afters"},
    EnterpriseScope.NAMED: {"after", "enterprises"},
    EnterpriseScope.KNOWN: {"after"},
}
BINDS = REMEMBERED | {
    "limit",
    "max_in_flight",
    "turn",
    "lease",
    "prefix",
    "group_size",
    "grouped_from",
    "groups",
    "most_queued",
    "room_needed",
    "newest",
}


def binds(sql: str) -> set[str]:
    """Return the names of a statement's bind parameters."""
    return set(re.findall(r"(?<!:):(\w+)", sql))


@pytest.mark.parametrize("scope", [EnterpriseScope.ALL, EnterpriseScope.KNOWN])
@LOOPS
def test_states_and_limit_are_literals(due: Due, scope: EnterpriseScope) -> None:
    """With a bound state, the generic plan would scan the table."""
    sql = claim_sql(due, 77, scope).text

    assert binds(sql) - {"times"} == BINDS | ROUNDS[scope]
    assert ("times" in binds(sql)) == (due is not NEW)
    assert "LIMIT 77" in sql
    assert "{" not in sql.replace("'{", "")


@LOOPS
def test_named_enterprises_are_bound(due: Due) -> None:
    """They come from the settings and must never be part of the text."""
    sql = claim_sql(due, 77, EnterpriseScope.NAMED).text

    assert binds(sql) - {"times"} == BINDS | ROUNDS[EnterpriseScope.NAMED]


@LOOPS
def test_a_claim_skips_locked_rows(due: Due) -> None:
    """Each of its three row locks does: notifications by age, notifications by priority, and limits."""
    sql = claim_sql(due, 77, EnterpriseScope.ALL).text

    assert sql.count("FOR NO KEY UPDATE") == sql.count("FOR NO KEY UPDATE SKIP LOCKED") == 3


def test_a_statement_is_built_once() -> None:
    """The server keeps a plan for each text, so the gate's allowance must not change the text."""
    assert claim_sql(NEW, 77, EnterpriseScope.ALL) is claim_sql(NEW, 77, EnterpriseScope.ALL)
