"""The table that names this deployment, so that no other touches its notifications."""

from uuid import UUID

from sqlalchemy import CheckConstraint, Text, Uuid, text, true
from sqlalchemy.orm import Mapped, mapped_column

from xnovu_poller.models.base import Base, CreatedAt, MaybeMoment


class Deployment(Base):
    """One row; its id prefixes every workflow and schedule id and travels in their input.

    `database` says where the deployment lives: a copy that holds notifications or rules does not start elsewhere
    until a person has decided whose they are. `known_since` is when that was.
    """

    __tablename__ = "deployment"
    __table_args__ = (CheckConstraint("singleton", "singleton"),)

    singleton: Mapped[bool] = mapped_column(primary_key=True, server_default=true())
    id: Mapped[UUID] = mapped_column(Uuid, server_default=text("gen_random_uuid()"))
    database: Mapped[str] = mapped_column(Text)
    known_since: Mapped[MaybeMoment]
    created_at: Mapped[CreatedAt]
