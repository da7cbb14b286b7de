"""The table of enterprises: facts for people and templates, and the bounds of what each may address at Novu."""

from typing import Any

from sqlalchemy import CheckConstraint, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from xnovu_poller.models.base import Base, CreatedAt


class EnterpriseTable(Base):
    """An enterprise. Triggers refuse notifications, rules and workflows outside its bounds; a null bounds nothing."""

    __tablename__ = "ent_enterprise"
    __table_args__ = (
        CheckConstraint("octet_length(enterprise_id) BETWEEN 1 AND 255", "enterprise"),
        CheckConstraint("jsonb_typeof(brand) = 'object'", "brand"),
        CheckConstraint("subscriber_prefix <> '' AND topic_prefix <> ''", "prefix"),
        CheckConstraint("array_position(workflow_keys, NULL) IS NULL", "workflow_keys"),
        CheckConstraint("payload_bytes BETWEEN 1048576 AND 20971520", "payload"),
    )

    enterprise_id: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    name: Mapped[str | None] = mapped_column(Text)
    locale: Mapped[str | None] = mapped_column(Text)
    time_zone: Mapped[str | None] = mapped_column(Text)
    brand: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'::jsonb"))
    subscriber_prefix: Mapped[str | None] = mapped_column(Text)
    topic_prefix: Mapped[str | None] = mapped_column(Text)
    workflow_keys: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    payload_bytes: Mapped[int | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
