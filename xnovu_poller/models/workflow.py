"""The table of workflows: kinds of notifications, their channels and payloads."""

from typing import Any

from sqlalchemy import CheckConstraint, Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from xnovu_poller.lifecycle import Channel, PublishStatus, WorkflowType
from xnovu_poller.models.base import CHANNEL, PUBLISH, WORKFLOW, Base, CreatedAt, Id, Off, index_unsettled


class WorkflowTable(Base):
    """A kind of notification. A row without an enterprise serves every enterprise that has no row of this key."""

    __tablename__ = "ent_notification_workflow"
    __table_args__ = (
        # The same limit as for an enterprise id, for the same reason.
        CheckConstraint("octet_length(workflow_key) BETWEEN 1 AND 255", "key"),
        CheckConstraint("array_position(default_channels, NULL) IS NULL", "channels"),
        CheckConstraint("payload_schema IS NULL OR jsonb_typeof(payload_schema) = 'object'", "schema"),
        CheckConstraint("jsonb_typeof(template_overrides) = 'object'", "overrides"),
        CheckConstraint("checked_status IN ('OK', 'WARNING', 'ERROR')", "checked"),
        # PostgreSQL 14 has no NULLS NOT DISTINCT, so owned and global workflows need an index each.
        # In the order of bytes, which no update of the operating system changes under the index.
        Index(
            "ent_notification_workflow_own",
            "enterprise_id",
            "workflow_key",
            unique=True,
            postgresql_ops={"enterprise_id": "text_pattern_ops", "workflow_key": "text_pattern_ops"},
        ),
        Index(
            "ent_notification_workflow_global",
            "workflow_key",
            unique=True,
            postgresql_where=text("enterprise_id IS NULL"),
            postgresql_ops={"workflow_key": "text_pattern_ops"},
        ),
        index_unsettled("ent_notification_workflow"),
    )

    id: Mapped[Id]
    enterprise_id: Mapped[str | None] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    workflow_type: Mapped[WorkflowType] = mapped_column(WORKFLOW)
    workflow_key: Mapped[str] = mapped_column(Text)
    default_channels: Mapped[list[Channel]] = mapped_column(
        ARRAY(CHANNEL), server_default=text("'{IN_APP}'::notify.channel_type[]")
    )
    payload_schema: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    template_overrides: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'::jsonb"))
    send_context: Mapped[Off]
    publish_status: Mapped[PublishStatus] = mapped_column(PUBLISH, server_default=text("'DRAFT'"))
    deactivated: Mapped[Off]
    checked_status: Mapped[str | None] = mapped_column(Text)
    checked_error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
