"""The table of workers: how each was when it last reported."""

from typing import Any

from sqlalchemy import CheckConstraint, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from xnovu_poller.models.base import Base, CreatedAt


class WorkerReportTable(Base):
    """One row for each worker that has reported; only workers write it."""

    __tablename__ = "worker_report"
    __table_args__ = (
        CheckConstraint("octet_length(worker) BETWEEN 1 AND 255", "worker"),
        CheckConstraint("jsonb_typeof(health) = 'object'", "health"),
        CheckConstraint("jsonb_typeof(gate) = 'object'", "gate"),
    )

    worker: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    version: Mapped[str] = mapped_column(Text)
    started_at: Mapped[CreatedAt]
    reported_at: Mapped[CreatedAt]
    health: Mapped[dict[str, Any]] = mapped_column(JSONB)
    gate: Mapped[dict[str, Any]] = mapped_column(JSONB)
