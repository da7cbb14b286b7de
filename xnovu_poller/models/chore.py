"""The table of chores: the last result of each, by any worker."""

from typing import Any

from sqlalchemy import CheckConstraint, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from xnovu_poller.models.base import Base, Moment


class ChoreTable(Base):
    """One row for each chore of the deployment; only workers read and write it."""

    __tablename__ = "chore"
    __table_args__ = (
        CheckConstraint("took_ms >= 0", "took"),
        CheckConstraint("jsonb_typeof(report) = 'object'", "report"),
    )

    name: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    finished_at: Mapped[Moment]
    took_ms: Mapped[int]
    report: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'::jsonb"))
    error: Mapped[str | None] = mapped_column(Text)
