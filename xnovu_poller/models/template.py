"""The table of templates: the text for one channel under one key."""

from typing import Any

from sqlalchemy import CheckConstraint, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from xnovu_poller.lifecycle import Channel, PublishStatus
from xnovu_poller.models.base import CHANNEL, PUBLISH, Base, CreatedAt, Id, Off


class TemplateTable(Base):
    """A text that a tenant writes; it is verified before it is rendered."""

    __tablename__ = "ent_notification_template"
    __table_args__ = (
        CheckConstraint("template_key <> ''", "key"),
        CheckConstraint("jsonb_typeof(variables_description) = 'object'", "variables"),
        Index("ent_notification_template_own", "enterprise_id", "template_key", "channel_type", unique=True),
        Index(
            "ent_notification_template_global",
            "template_key",
            "channel_type",
            unique=True,
            postgresql_where=text("enterprise_id IS NULL"),
        ),
    )

    id: Mapped[Id]
    enterprise_id: Mapped[str | None] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    template_key: Mapped[str] = mapped_column(Text)
    channel_type: Mapped[Channel] = mapped_column(CHANNEL)
    subject_template: Mapped[str | None] = mapped_column(Text)
    body_template: Mapped[str] = mapped_column(Text)
    variables_description: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'::jsonb"))
    publish_status: Mapped[PublishStatus] = mapped_column(PUBLISH, server_default=text("'DRAFT'"))
    deactivated: Mapped[Off]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
