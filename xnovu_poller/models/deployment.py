"""The table that names this deployment, so that no other touches its notifications."""

from uuid import UUID

from sqlalchemy import CheckConstraint, Text, Uuid, text, true
from sqlalchemy.orm import Mapped, mapped_column

from xnovu_poller.models.base import Base, CreatedAt


class Deployment(Base):
    """One row; its id prefixes every workflow and schedule id and travels in their input.

    `database` says which database the id was minted in: a restored copy mints a new one at its
    first start, and so never answers to the original's workflows.
    """

    __tablename__ = "deployment"
    __table_args__ = (CheckConstraint("singleton", "singleton"),)

    singleton: Mapped[bool] = mapped_column(primary_key=True, server_default=true())
    id: Mapped[UUID] = mapped_column(Uuid, server_default=text("gen_random_uuid()"))
    database: Mapped[str] = mapped_column(Text)
    created_at: Mapped[CreatedAt]
