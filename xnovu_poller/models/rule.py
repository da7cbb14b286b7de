"""The table of rules: when a rule inserts notifications, and the state of each rule."""

from datetime import timedelta
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Interval, SmallInteger, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from xnovu_poller.lifecycle import Channel, FireOutcome, PublishStatus, RuleStatus, RuleTrigger
from xnovu_poller.models.base import CHANNEL, PUBLISH, RULE, TRIGGER, Base, CreatedAt, Id, MaybeMoment, Off

_OUTCOMES = ", ".join(f"'{outcome.value}'" for outcome in FireOutcome)


class RuleTable(Base):
    """A rule that inserts a notification each time it fires."""

    __tablename__ = "ent_notification_rule"
    __table_args__ = (
        # The same limit as for its notifications.
        CheckConstraint("octet_length(enterprise_id) BETWEEN 1 AND 255", "enterprise"),
        # A trigger refuses more than 2048 bytes in new rows; older rows may have more.
        CheckConstraint(
            "jsonb_typeof(trigger_config) = 'object' AND octet_length(trigger_config::text) <= 16384",
            "config",
        ),
        CheckConstraint("char_length(name) <= 1000", "name"),
        # A firing is one statement that reads all of the payload.
        CheckConstraint(
            "jsonb_typeof(rule_payload) = 'object' AND octet_length(rule_payload::text) <= 1048576", "payload"
        ),
        CheckConstraint(
            "channels IS NULL OR (cardinality(channels) > 0 AND array_position(channels, NULL) IS NULL)",
            "channels",
        ),
        CheckConstraint("priority BETWEEN 0 AND 9", "priority"),
        CheckConstraint(
            "overrides IS NULL OR (jsonb_typeof(overrides) = 'object' AND octet_length(overrides::text) <= 65536)",
            "overrides",
        ),
        CheckConstraint(
            "expires_after > interval '0 s' AND expires_after <= interval '366 days'",
            "expiry",
        ),
        # The changes that no schedule follows yet.
        Index(
            "ent_notification_rule_unfollowed",
            "enterprise_id",
            "updated_at",
            "id",
            postgresql_where=text("followed_at IS DISTINCT FROM updated_at"),
            postgresql_ops={"enterprise_id": "text_pattern_ops"},
        ),
        CheckConstraint(f"last_outcome IN ({_OUTCOMES})", "outcome"),
    )

    id: Mapped[Id]
    enterprise_id: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    notification_workflow_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("notify.ent_notification_workflow.id")
    )
    trigger_type: Mapped[RuleTrigger] = mapped_column(TRIGGER)
    trigger_config: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'::jsonb"))
    rule_payload: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'::jsonb"))
    channels: Mapped[list[Channel] | None] = mapped_column(ARRAY(CHANNEL))
    priority: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    overrides: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    expires_after: Mapped[timedelta | None] = mapped_column(Interval)
    publish_status: Mapped[PublishStatus] = mapped_column(PUBLISH, server_default=text("'DRAFT'"))
    deactivated: Mapped[Off]

    # Only the worker writes the columns from here on. `done_for` is the time of a SCHEDULE rule that has fired.
    rule_status: Mapped[RuleStatus | None] = mapped_column(RULE)
    rule_error: Mapped[str | None] = mapped_column(Text)
    done_for: Mapped[MaybeMoment]
    last_fired_at: Mapped[MaybeMoment]
    last_outcome: Mapped[FireOutcome | None] = mapped_column(Text)
    followed_at: Mapped[MaybeMoment]
    hourly_firings: Mapped[int | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
