"""The table of templates: the text for one channel under one key, perhaps in one language."""

from typing import Any

from sqlalchemy import CheckConstraint, ColumnElement, Index, Text, literal_column, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from xnovu_poller.lifecycle import Channel, PublishStatus
from xnovu_poller.models.base import CHANNEL, PUBLISH, Base, CreatedAt, Id, Off, index_unsettled

# The order of bytes, which no update of the operating system changes under the index.
_LANGUAGE: ColumnElement[str] = literal_column("coalesce(locale, '')").label("language")
_OPS = dict.fromkeys(("enterprise_id", "template_key", "language"), "text_pattern_ops")


class TemplateTable(Base):
    """A text that a tenant writes; it is verified before it is rendered."""

    __tablename__ = "ent_notification_template"
    __table_args__ = (
        CheckConstraint("template_key <> ''", "key"),
        CheckConstraint("jsonb_typeof(variables_description) = 'object'", "variables"),
        CheckConstraint("jsonb_typeof(defaults) = 'object'", "defaults"),
        CheckConstraint("format IN ('html', 'text')", "format"),
        CheckConstraint("checked_status IN ('OK', 'WARNING', 'ERROR')", "checked"),
        Index(
            "ent_notification_template_own",
            "enterprise_id",
            "template_key",
            "channel_type",
            _LANGUAGE,
            unique=True,
            postgresql_ops=_OPS,
        ),
        Index(
            "ent_notification_template_global",
            "template_key",
            "channel_type",
            _LANGUAGE,
            unique=True,
            postgresql_where=text("enterprise_id IS NULL"),
            postgresql_ops=_OPS,
        ),
        index_unsettled("ent_notification_template"),
    )

    id: Mapped[Id]
    enterprise_id: Mapped[str | None] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    template_key: Mapped[str] = mapped_column(Text)
    channel_type: Mapped[Channel] = mapped_column(CHANNEL)
    locale: Mapped[str | None] = mapped_column(Text)
    subject_template: Mapped[str | None] = mapped_column(Text)
    body_template: Mapped[str] = mapped_column(Text)
    variables_description: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'::jsonb"))
    defaults: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'::jsonb"))
    format: Mapped[str | None] = mapped_column(Text)
    trusted: Mapped[Off]
    uses: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    publish_status: Mapped[PublishStatus] = mapped_column(PUBLISH, server_default=text("'DRAFT'"))
    deactivated: Mapped[Off]
    checked_status: Mapped[str | None] = mapped_column(Text)
    checked_error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
