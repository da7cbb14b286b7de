"""The table of incidents: what left the straight way of a notification."""

from sqlalchemy import BigInteger, CheckConstraint, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from xnovu_poller.incidents import IncidentKind
from xnovu_poller.models.base import Base, Moment

_KINDS = ", ".join(f"'{kind}'" for kind in IncidentKind)


class IncidentTable(Base):
    """An incident of a notification. A trigger writes it, in the statement that changes the notification."""

    __tablename__ = "ent_notification_event"
    __table_args__ = (CheckConstraint(f"arrow IN ({_KINDS})", "arrow"),)

    notification_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    enterprise_id: Mapped[str] = mapped_column(Text)
    arrow: Mapped[str] = mapped_column(Text)
    happened_at: Mapped[Moment]
    attempt: Mapped[int]
    code: Mapped[str | None] = mapped_column(Text)
    worker: Mapped[str | None] = mapped_column(Text)
    login: Mapped[str] = mapped_column(Text)
    times: Mapped[int] = mapped_column(server_default=text("1"))
    last_at: Mapped[Moment]
