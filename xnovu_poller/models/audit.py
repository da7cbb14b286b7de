"""The table of the audit: a line for each action of a person."""

from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from xnovu_poller.models.base import Base, CreatedAt, Id, MaybeMoment


class AuditTable(Base):
    """What a person did, and how many rows it changed."""

    __tablename__ = "ent_audit"
    __table_args__ = (
        CheckConstraint("octet_length(action) BETWEEN 1 AND 255", "action"),
        CheckConstraint("octet_length(actor) BETWEEN 1 AND 255", "actor"),
        CheckConstraint("jsonb_typeof(filters) = 'object'", "filters"),
        CheckConstraint("least(counted, changed) >= 0", "counts"),
    )

    id: Mapped[Id]
    action: Mapped[str] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(Text)
    login: Mapped[str] = mapped_column(Text, server_default=text("SESSION_USER"))
    enterprise_id: Mapped[str | None] = mapped_column(Text)
    filters: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'::jsonb"))
    reason: Mapped[str | None] = mapped_column(Text)
    counted: Mapped[int | None] = mapped_column(BigInteger)
    changed: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    started_at: Mapped[CreatedAt]
    finished_at: Mapped[MaybeMoment]
