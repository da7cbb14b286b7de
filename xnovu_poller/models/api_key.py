"""The tables of the API: its keys, and the buckets of its rate limits."""

from sqlalchemy import CheckConstraint, Double, LargeBinary, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from xnovu_poller.models.base import Base, CreatedAt, Id, MaybeMoment, Moment


class ApiKeyTable(Base):
    """A key of the API; only its hash is kept."""

    __tablename__ = "api_key"
    __table_args__ = (
        UniqueConstraint("prefix", name="api_key_prefix"),
        CheckConstraint("prefix ~ '^[a-z0-9]{12}$'", "prefix"),
        CheckConstraint("octet_length(hash) = 32", "hash"),
        CheckConstraint("octet_length(enterprise_id) BETWEEN 1 AND 255", "enterprise"),
        CheckConstraint("char_length(name) BETWEEN 1 AND 1000", "name"),
        CheckConstraint("cardinality(scopes) > 0 AND scopes <@ ARRAY['send', 'read', 'operate']", "scopes"),
    )

    id: Mapped[Id]
    prefix: Mapped[str] = mapped_column(Text(collation="C"))
    hash: Mapped[bytes] = mapped_column(LargeBinary)
    enterprise_id: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    created_at: Mapped[CreatedAt]
    created_by: Mapped[str] = mapped_column(Text, server_default=text("SESSION_USER"))
    expires_at: Mapped[MaybeMoment]
    last_used_at: Mapped[MaybeMoment]
    revoked_at: Mapped[MaybeMoment]


class RateBucketTable(Base):
    """A token bucket of the API. The table is UNLOGGED."""

    __tablename__ = "rate_bucket"

    name: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    tokens: Mapped[float] = mapped_column(Double)
    counted_at: Mapped[Moment]
