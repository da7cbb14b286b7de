"""The table of deliveries: one row for each chunk of a notification that needs several calls to Novu."""

from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from xnovu_poller.models.base import Base, CreatedAt, MaybeMoment


class DeliveryTable(Base):
    """A chunk of at most 100 recipients, and Novu's answer."""

    __tablename__ = "ent_notification_delivery"
    __table_args__ = (
        CheckConstraint("cardinality(recipients) BETWEEN 1 AND 100", "recipients"),
        CheckConstraint("outcome IN ('accepted', 'refused', 'unknown')", "outcome"),
        CheckConstraint("refusals >= 0", "refusals"),
    )

    notification_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("notify.ent_notification.id", ondelete="CASCADE"), primary_key=True
    )
    chunk: Mapped[int] = mapped_column(primary_key=True)
    enterprise_id: Mapped[str] = mapped_column(Text)
    recipients: Mapped[list[str]] = mapped_column(ARRAY(Text))
    transaction_id: Mapped[str] = mapped_column(Text)
    refusals: Mapped[int] = mapped_column(server_default=text("0"))
    outcome: Mapped[str | None] = mapped_column(Text)
    error_details: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    answered_at: Mapped[MaybeMoment]
    created_at: Mapped[CreatedAt]
