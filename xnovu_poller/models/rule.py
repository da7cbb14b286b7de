"""The table of rules: when notifications write themselves."""

from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from xnovu_poller.lifecycle import PublishStatus, RuleTrigger
from xnovu_poller.models.base import PUBLISH, TRIGGER, Base, CreatedAt, Id, Off


class Rule(Base):
    """A schedule that inserts a notification each time it fires."""

    __tablename__ = "ent_notification_rule"
    __table_args__ = (
        CheckConstraint("enterprise_id <> ''", "enterprise"),
        CheckConstraint("jsonb_typeof(trigger_config) = 'object'", "config"),
        CheckConstraint("jsonb_typeof(rule_payload) = 'object'", "payload"),
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
    publish_status: Mapped[PublishStatus] = mapped_column(PUBLISH, server_default=text("'DRAFT'"))
    deactivated: Mapped[Off]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
