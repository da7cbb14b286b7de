"""The table of the workflows that we wrote to Novu."""

from typing import Any

from sqlalchemy import Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from xnovu_poller.models.base import Base, CreatedAt


class WorkflowSyncTable(Base):
    """One row for each workflow that we wrote to Novu; only workers and commands read and write it."""

    __tablename__ = "workflow_sync"

    workflow_key: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    identifier: Mapped[str] = mapped_column(Text)
    written: Mapped[dict[str, Any]] = mapped_column(JSONB)
    answered: Mapped[dict[str, Any]] = mapped_column(JSONB)
    written_at: Mapped[CreatedAt]
