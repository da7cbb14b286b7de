"""The table of limits for each enterprise."""

from sqlalchemy import BigInteger, CheckConstraint, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from xnovu_poller.models.base import Base, CreatedAt, MaybeMoment


class EnterpriseLimitTable(Base):
    """Limits of an enterprise: rows per second and rows in flight of its claims, and firings per minute of its rules; and its brake."""

    __tablename__ = "ent_enterprise_limit"
    __table_args__ = (
        CheckConstraint("octet_length(enterprise_id) BETWEEN 1 AND 255", "enterprise"),
        CheckConstraint("rate BETWEEN 0.001 AND 1000000", "rate"),
        CheckConstraint("in_flight > 0", "in_flight"),
        CheckConstraint("burst > 0", "burst"),
        Index("ent_enterprise_limit_burst", "enterprise_id", postgresql_where=text("burst IS NOT NULL")),
        CheckConstraint("firings BETWEEN 0 AND 1000000", "firings"),
    )

    enterprise_id: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    rate: Mapped[float | None]
    in_flight: Mapped[int | None]
    firings: Mapped[int | None]
    burst: Mapped[int | None]
    released_to: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))

    # Claims maintain these two: a token bucket that fills at `rate`.
    tokens: Mapped[float | None]
    counted_at: Mapped[MaybeMoment]

    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
