"""The fields that every log line about a notification has."""

FACTS = ("notification", "attempt", "enterprise", "workflow_key", "workflow_id", "transaction_id")
"""The fields; `workflow_id` is that of its run in Temporal."""


def describe(attempt: tuple[int, int], *others: str | None) -> dict[str, object]:
    """Return these fields."""
    return dict(zip(FACTS, (*attempt, *others), strict=True))
