"""The tables of pauses, and of what the brake of an enterprise counts."""

from sqlalchemy import BigInteger, CheckConstraint, Index, Text, literal_column, text
from sqlalchemy.orm import Mapped, mapped_column

from xnovu_poller.models.base import Base, CreatedAt, Id, MaybeMoment, Moment


class PauseTable(Base):
    """What is not claimed; only workers and commands read and write it."""

    __tablename__ = "pause"
    __table_args__ = (
        CheckConstraint("octet_length(enterprise_id) BETWEEN 1 AND 255", "enterprise"),
        CheckConstraint("octet_length(workflow_key) BETWEEN 1 AND 255", "key"),
        CheckConstraint("char_length(reason) BETWEEN 1 AND 1000", "reason"),
        Index(
            "pause_scope",
            literal_column("coalesce(enterprise_id, '')"),
            literal_column("coalesce(workflow_key, '')"),
            unique=True,
        ),
    )

    id: Mapped[Id]
    enterprise_id: Mapped[str | None] = mapped_column(Text(collation="C"))
    workflow_key: Mapped[str | None] = mapped_column(Text(collation="C"))
    reason: Mapped[str] = mapped_column(Text)
    paused_by: Mapped[str] = mapped_column(Text, server_default=text("SESSION_USER"))
    paused_at: Mapped[CreatedAt]
    ends_at: Mapped[MaybeMoment]


class BrakeCountTable(Base):
    """How many notifications of a minute were claimed, for each enterprise with a burst; the claims maintain it."""

    __tablename__ = "brake_count"

    enterprise_id: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    inserted_at: Mapped[Moment] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger)
