"""The table of limits for each enterprise."""

from sqlalchemy import CheckConstraint, Text
from sqlalchemy.orm import Mapped, mapped_column

from xnovu_poller.models.base import Base, CreatedAt, MaybeMoment


class EnterpriseLimitTable(Base):
    """Limits of an enterprise's claims: rows per second, and rows in flight. Without a row there is no limit."""

    __tablename__ = "ent_enterprise_limit"
    __table_args__ = (
        CheckConstraint("octet_length(enterprise_id) BETWEEN 1 AND 255", "enterprise"),
        CheckConstraint("rate BETWEEN 0.001 AND 1000000", "rate"),
        CheckConstraint("in_flight > 0", "in_flight"),
    )

    enterprise_id: Mapped[str] = mapped_column(Text, primary_key=True)
    rate: Mapped[float | None]
    in_flight: Mapped[int | None]

    # Claims maintain these two: a token bucket that fills at `rate`.
    tokens: Mapped[float | None]
    counted_at: Mapped[MaybeMoment]

    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
