"""The table of limits: what an enterprise may have at most."""

from sqlalchemy import CheckConstraint, Text
from sqlalchemy.orm import Mapped, mapped_column

from xnovu_poller.models.base import Base, CreatedAt, MaybeMoment


class EnterpriseLimit(Base):
    """How fast an enterprise is claimed, and how much of it is in flight; no row, no limit."""

    __tablename__ = "ent_enterprise_limit"
    __table_args__ = (
        CheckConstraint("octet_length(enterprise_id) BETWEEN 1 AND 255", "enterprise"),
        CheckConstraint("rate BETWEEN 0.001 AND 1000000", "rate"),
        CheckConstraint("in_flight > 0", "in_flight"),
    )

    enterprise_id: Mapped[str] = mapped_column(Text, primary_key=True)
    rate: Mapped[float | None]
    in_flight: Mapped[int | None]

    # The claims keep these two: a bucket that fills by `rate`.
    tokens: Mapped[float | None]
    counted_at: Mapped[MaybeMoment]

    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
