"""Which notifications each loop owns; no two loops own the same row.

States are literals: with a bound state the generic plan scans the table.
"""

from dataclasses import dataclass

_PUBLISHED = "n.publish_status = 'PUBLISH' AND NOT n.deactivated"

ORDERS = 11
"""The number of orders in which an enterprise's rows are read: one for each priority, and one by age."""

BY_AGE = 10
"""The order by age; the others are the priorities, 0 to 9."""

LIMITS_CLAIMS = "num_nonnulls(l.rate, l.in_flight, l.burst) > 0"
"""The condition of a limit that concerns claims; a row may also limit only the firings of rules."""


@dataclass(frozen=True, slots=True)
class Due:
    """The SQL conditions that make a row due for one loop.

    Attributes:
        name: the loop.
        owned: the row belongs to the loop; also the condition of its partial indexes.
        due_now: the row's time has come; a range over `oldest_first`.
        due_at: when the row came due; null if the ids give the order.
        oldest_first: the columns that order rows by age, which are the last columns of each index.
        after_mark: the row comes after the last row that was taken in an order; `{order}` is the index of that order.
    """

    name: str
    owned: str
    due_now: str
    due_at: str
    oldest_first: str
    after_mark: str


def _timed(name: str, owned: str, time: str) -> Due:
    """Return the conditions of a loop whose rows come due at a time."""
    after_mark = (
        f"({time}, n.id) > (coalesce((CAST(:times AS timestamptz[]))[{{order}}], '-infinity'),"
        " coalesce((CAST(:marks AS bigint[]))[{order}], 0))"
    )
    # A time that Python cannot represent would fail the whole claim. A mark that is too late does no harm.
    due_at = f"greatest({time}, timestamptz '1970-01-01Z')"
    return Due(name, owned, f"{time} <= now()", due_at, f"{time}, n.id", after_mark)


NEW = Due(
    name="new",
    owned=f"n.notification_status = 'PENDING' AND n.scheduled_for IS NULL AND {_PUBLISHED}",
    due_now="true",
    due_at="CAST(NULL AS timestamptz)",
    oldest_first="n.id",
    after_mark="n.id > coalesce((CAST(:marks AS bigint[]))[{order}], 0)",
)
"""PENDING without a time: due at once."""

SCHEDULED = _timed(
    "scheduled",
    f"n.notification_status = 'PENDING' AND n.scheduled_for IS NOT NULL AND {_PUBLISHED}",
    "n.scheduled_for",
)
"""PENDING with a time: due from then on."""

FAILED = _timed("failed", f"n.notification_status = 'FAILED' AND {_PUBLISHED}", "n.next_attempt_at")
"""FAILED: due again once its backoff has passed."""
