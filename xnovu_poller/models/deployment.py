"""The table that identifies this deployment, so that no other touches its notifications."""

from uuid import UUID

from sqlalchemy import CheckConstraint, Text, Uuid, text, true
from sqlalchemy.orm import Mapped, mapped_column

from xnovu_poller.models.base import Base, CreatedAt, MaybeMoment


class DeploymentTable(Base):
    """A single row. Its id prefixes the ids of all runs and schedules, and is part of their input.

    `database` identifies the database: a worker refuses to start on a copy that holds notifications or rules
    until a person has decided which deployment they belong to. `known_since` is the time of that decision.
    """

    __tablename__ = "deployment"
    __table_args__ = (CheckConstraint("singleton", "singleton"),)

    singleton: Mapped[bool] = mapped_column(primary_key=True, server_default=true())
    id: Mapped[UUID] = mapped_column(Uuid, server_default=text("gen_random_uuid()"))
    database: Mapped[str] = mapped_column(Text)
    known_since: Mapped[MaybeMoment]
    created_at: Mapped[CreatedAt]
