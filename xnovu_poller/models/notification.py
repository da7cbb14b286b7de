"""The table of notifications: the columns that a producer writes, and those that the worker maintains."""

from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, SmallInteger, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, DOMAIN, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from xnovu_poller.lifecycle import Channel, PublishStatus, Status
from xnovu_poller.models.base import CHANNEL, PUBLISH, SCHEMA, STATUS, Base, CreatedAt, Id, MaybeMoment, Off

_PUBLISHED = "publish_status = 'PUBLISH' AND NOT deactivated"
_NEW = f"notification_status = 'PENDING' AND scheduled_for IS NULL AND {_PUBLISHED}"
_SCHEDULED = f"notification_status = 'PENDING' AND scheduled_for IS NOT NULL AND {_PUBLISHED}"
_FAILED = f"notification_status = 'FAILED' AND {_PUBLISHED}"
_BY_LOGIN = "created_by IS NOT NULL"
_PROCESSING = "notification_status = 'PROCESSING'"
_EXPIRING = "notification_status IN ('PENDING', 'FAILED') AND expires_at IS NOT NULL"

_WITHDRAWN = "notification_status = 'SENT' AND retract_requested_at IS NOT NULL AND error_details IS NULL"


# PostgreSQL checks a table's CHECK at every update of the row, but a domain's only when the value changes.
_RECIPIENTS = DOMAIN(
    "recipients",
    ARRAY(Text),
    constraint_name="ent_notification_recipients_check",
    check="VALUE IS NULL OR cardinality(VALUE) > 0 AND array_position(VALUE, NULL) IS NULL AND '' <> ALL (VALUE)"
    " OR notify.refuse('ent_notification_recipients_check',"
    " 'notification: recipients is an empty list, or one of them is null or empty',"
    " 'Name at least one subscriber id, or topic:KEY.')",
    schema=SCHEMA,
)
_PAYLOAD = DOMAIN(
    "payload",
    JSONB,
    constraint_name="ent_notification_payload_check",
    check="VALUE IS NULL OR jsonb_typeof(VALUE) = 'object' OR notify.refuse('ent_notification_payload_check',"
    " 'notification: payload is not a JSON object', 'Write an object: {\"order\": 42}.')",
    schema=SCHEMA,
)


# The order of bytes, which no update of the operating system changes under the index.
_OPS = dict.fromkeys(("enterprise_id", "dedup_key", "created_by"), "text_pattern_ops")


def _index(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    return Index(
        name,
        *(text(column) if " " in column else column for column in columns),
        postgresql_where=text(where),
        postgresql_ops=_OPS,
        unique=unique,
    )


class NotificationTable(Base):
    """A notification for some recipients, and its state."""

    __tablename__ = "ent_notification"
    __table_args__ = (
        # Temporal accepts 2048 bytes of a search attribute as JSON, which needs up to six bytes for one.
        CheckConstraint("octet_length(enterprise_id) BETWEEN 1 AND 255", "enterprise"),
        CheckConstraint("overrides IS NULL OR jsonb_typeof(overrides) = 'object'", "overrides"),
        CheckConstraint(
            "channels IS NULL OR (cardinality(channels) > 0 AND array_position(channels, NULL) IS NULL)",
            "channels",
        ),
        CheckConstraint("priority BETWEEN 0 AND 9", "priority"),
        CheckConstraint("least(attempt, failure_count, refusals, unknown_outcomes, lapses) >= 0", "counters"),
        # SENT, DEAD and RETRACTED rows have no lease and no live send.
        CheckConstraint("(notification_status = 'PROCESSING') = (lease_expires_at IS NOT NULL)", "lease"),
        CheckConstraint("notification_status = 'PROCESSING' OR send_until IS NULL", "send"),
        CheckConstraint("notification_status <> 'PROCESSING' OR temporal_workflow_id IS NOT NULL", "holder"),
        # While the row is PROCESSING, `next_attempt_at` also records that it was FAILED before.
        CheckConstraint("notification_status <> 'FAILED' OR next_attempt_at IS NOT NULL", "retry"),
        CheckConstraint("notification_status <> 'PENDING' OR next_attempt_at IS NULL", "fresh"),
        CheckConstraint("(notification_status = 'RETRACTED') = (retracted_at IS NOT NULL)", "retracted"),
        # Each loop has its rows by priority and by age, within each enterprise. The condition on
        # `priority`, true for every row, keeps the planner from using the index by age to find a priority.
        _index("ent_notification_new", "enterprise_id", "priority DESC", "id", where=_NEW),
        _index("ent_notification_new_age", "enterprise_id", "id", where=f"{_NEW} AND priority >= 0"),
        _index(
            "ent_notification_scheduled",
            "enterprise_id",
            "priority",
            "scheduled_for",
            "id",
            where=_SCHEDULED,
        ),
        _index(
            "ent_notification_scheduled_age",
            "enterprise_id",
            "scheduled_for",
            "id",
            where=f"{_SCHEDULED} AND priority >= 0",
        ),
        _index(
            "ent_notification_failed", "enterprise_id", "priority", "next_attempt_at", "id", where=_FAILED
        ),
        _index(
            "ent_notification_failed_age",
            "enterprise_id",
            "next_attempt_at",
            "id",
            where=f"{_FAILED} AND priority >= 0",
        ),
        # The round: the logins with rows of a loop, and the enterprises of each. A comparison with a login implies the
        # condition on `created_by`, true for every row, so nothing else uses these indexes.
        *(
            _index(
                f"ent_notification_{loop}_login",
                "created_by",
                "enterprise_id",
                where=f"{rows} AND {_BY_LOGIN}",
            )
            for loop, rows in (("new", _NEW), ("scheduled", _SCHEDULED), ("failed", _FAILED))
        ),
        # The workflows with rows of a loop, in each enterprise. A comparison with a workflow implies the condition on it, so
        # only claims that step over a paused workflow use these indexes.
        *(
            _index(
                f"ent_notification_{loop}_workflow",
                "enterprise_id",
                "notification_workflow_id",
                "priority",
                *times,
                "id",
                where=f"{rows} AND notification_workflow_id IS NOT NULL",
            )
            for loop, rows, times in (
                ("new", _NEW, ()),
                ("scheduled", _SCHEDULED, ("scheduled_for",)),
                ("failed", _FAILED, ("next_attempt_at",)),
            )
        ),
        # The next due time of all enterprises. No claim has the condition `priority <= 9`, so none uses this index.
        _index("ent_notification_scheduled_time", "scheduled_for", where=f"{_SCHEDULED} AND priority <= 9"),
        # Rows in flight by enterprise, and lapsed leases.
        _index("ent_notification_in_flight", "enterprise_id", where=_PROCESSING),
        _index("ent_notification_lease", "lease_expires_at", "id", where=_PROCESSING),
        _index("ent_notification_expiring", "expires_at", "id", where=_EXPIRING),
        # Retractions of SENT rows that Novu has not answered yet.
        _index("ent_notification_withdrawn", "enterprise_id", "retract_requested_at", "id", where=_WITHDRAWN),
        _index(
            "ent_notification_dedup",
            "enterprise_id",
            "dedup_key",
            where="dedup_key IS NOT NULL",
            unique=True,
        ),
        # Deleting a rule must not scan all notifications.
        _index("ent_notification_rule_id", "notification_rule_id", where="notification_rule_id IS NOT NULL"),
        # For people, who list them by state and enterprise, the newest first. A claim writes no entry, and cannot use it:
        # only their statements have the condition on `attempt`, true for every row.
        _index(
            "ent_notification_listed",
            "notification_status",
            "enterprise_id",
            "created_at",
            "id",
            where="notification_status <> 'PROCESSING' AND attempt >= 0",
        ),
        # For the statistics of the last day; it has only a few pages, even for a large table.
        Index("ent_notification_created", "created_at", postgresql_using="brin"),
    )

    id: Mapped[Id]
    enterprise_id: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    notification_workflow_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("notify.ent_notification_workflow.id")
    )
    notification_rule_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("notify.ent_notification_rule.id", ondelete="SET NULL")
    )
    payload: Mapped[dict[str, Any]] = mapped_column(_PAYLOAD, server_default=text("'{}'::jsonb"))
    recipients: Mapped[list[str]] = mapped_column(_RECIPIENTS)
    channels: Mapped[list[Channel] | None] = mapped_column(ARRAY(CHANNEL))
    overrides: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    tags: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    priority: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    dedup_key: Mapped[str | None] = mapped_column(Text)
    publish_status: Mapped[PublishStatus] = mapped_column(PUBLISH, server_default=text("'PUBLISH'"))
    deactivated: Mapped[Off]
    scheduled_for: Mapped[MaybeMoment]
    expires_at: Mapped[MaybeMoment]
    locale: Mapped[str | None] = mapped_column(Text)
    time_zone: Mapped[str | None] = mapped_column(Text)
    actor: Mapped[str | None] = mapped_column(Text)
    context: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    exclude: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    subscribers: Mapped[dict[str, Any] | None] = mapped_column(JSONB)

    # Only the worker writes the columns from here on.
    notification_status: Mapped[Status] = mapped_column(STATUS, server_default=text("'PENDING'"))
    transaction_id: Mapped[str] = mapped_column(Text, server_default=text("('xn-' || gen_random_uuid())"))
    attempt: Mapped[int] = mapped_column(server_default=text("0"))
    failure_count: Mapped[int] = mapped_column(server_default=text("0"))
    refusals: Mapped[int] = mapped_column(server_default=text("0"))
    unknown_outcomes: Mapped[int] = mapped_column(server_default=text("0"))
    lapses: Mapped[int] = mapped_column(server_default=text("0"))
    claimed_at: Mapped[MaybeMoment]
    lease_expires_at: Mapped[MaybeMoment]
    send_until: Mapped[MaybeMoment]
    next_attempt_at: Mapped[MaybeMoment]
    retract_requested_at: Mapped[MaybeMoment]
    processed_at: Mapped[MaybeMoment]
    retracted_at: Mapped[MaybeMoment]
    temporal_workflow_id: Mapped[str | None] = mapped_column(Text)
    error_details: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    retraction_reason: Mapped[str | None] = mapped_column(Text)
    fired_at: Mapped[MaybeMoment]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
    created_by: Mapped[str] = mapped_column(Text, server_default=text("SESSION_USER"))
