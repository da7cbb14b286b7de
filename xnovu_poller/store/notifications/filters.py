"""Which notifications a person means: the filters of commands, with the conditions that they are in SQL."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from xnovu_poller.lifecycle import Status

EARLIEST, LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """The notifications for which all of this holds; None filters nothing.

    Attributes:
        states: in one of these; empty: in any.
        code: of `error_details`.
        workflow: the key of the workflow.
        rule: the id of the rule that made it.
        since: inserted at this time or later.
        until: inserted before this time.
        ended: in no end state, or unchanged since before this time.
        recipient: one of its recipients, exactly.
    """

    enterprise: str | None = None
    states: tuple[Status, ...] = ()
    code: str | None = None
    workflow: str | None = None
    rule: int | None = None
    tag: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    recipient: str | None = None
    ended: datetime | None = None

    @property
    def wanted(self) -> tuple[Status, ...]:
        """The states; all of them if none is named."""
        return self.states or tuple(Status)

    @property
    def compares(self) -> bool:
        """Whether there is a filter that no index serves."""
        return any((self.code, self.workflow, self.rule, self.tag, self.recipient))

    def to_values(self) -> dict[str, Any]:
        """Return the parameters of the statements."""
        return {
            "enterprise": self.enterprise,
            "code": self.code,
            "workflow": self.workflow,
            "rule": self.rule,
            "tag": self.tag,
            "recipient": self.recipient,
            "since": self.since or EARLIEST,
            "until": self.until or LATEST,
            "ended": self.ended or LATEST,
        }

    def to_json(self) -> dict[str, Any]:
        """Return the filters as an audit keeps them: without the recipient."""
        given = {
            "state": list(self.states) or None,
            "code": self.code,
            "workflow": self.workflow,
            "rule": self.rule,
            "tag": self.tag,
            "since": self.since and self.since.isoformat(),
            "until": self.until and self.until.isoformat(),
            "ended": self.ended and self.ended.isoformat(),
            "recipient": None if self.recipient is None else "(not kept)",
        }
        return {name: value for name, value in given.items() if value is not None}


MATCHING = """(CAST(:code AS text) IS NULL OR n.error_details ->> 'code' = :code)
            AND (CAST(:workflow AS text) IS NULL OR n.notification_workflow_id IN (
                SELECT chosen.id FROM notify.ent_notification_workflow chosen WHERE chosen.workflow_key = :workflow))
            AND (CAST(:rule AS bigint) IS NULL OR n.notification_rule_id = :rule)
            AND (CAST(:tag AS text) IS NULL OR :tag = ANY (n.tags))
            AND (CAST(:recipient AS text) IS NULL OR :recipient = ANY (n.recipients))
            AND (n.updated_at < CAST(:ended AS timestamptz) OR n.notification_status IN ('PENDING', 'PROCESSING', 'FAILED'))"""
"""The conditions that no index serves, on a notification `n`."""

LISTED = "n.notification_status <> 'PROCESSING' AND n.attempt >= 0"
"""The rows of the index of lists. The second condition, true for every row, keeps the planner from using it for a claim."""

IN_FLIGHT = "n.notification_status = 'PROCESSING'"
"""The other rows, which are few."""
