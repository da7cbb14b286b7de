"""The table of minutes: the work of each minute of the last days, and the rows that waited."""

from sqlalchemy import BigInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from xnovu_poller.models.base import Base, Moment


class MinuteTable(Base):
    """A row for each minute; workers add to it, the chore `statistics` writes what waits, and the page reads it."""

    __tablename__ = "minute"

    began_at: Mapped[Moment] = mapped_column(primary_key=True)
    due_new: Mapped[int | None]
    due_scheduled: Mapped[int | None]
    due_failed: Mapped[int | None]
    in_flight: Mapped[int | None]
    oldest_due_seconds: Mapped[float | None]
    sent: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    failed: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    dead: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
