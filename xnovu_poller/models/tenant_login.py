"""The table of tenants' logins: which enterprise each is bound to."""

from sqlalchemy import CheckConstraint, Index, Text
from sqlalchemy.dialects.postgresql import OID
from sqlalchemy.orm import Mapped, mapped_column

from xnovu_poller.models.base import Base, CreatedAt


class TenantLoginTable(Base):
    """A login that a tenant holds. The worker only reads it; a binding whose name and oid differ is void."""

    __tablename__ = "tenant_login"
    __table_args__ = (
        CheckConstraint("octet_length(enterprise_id) BETWEEN 1 AND 255", "enterprise"),
        Index("tenant_login_oid", "login_oid"),
    )

    login: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    enterprise_id: Mapped[str] = mapped_column(Text)
    login_oid: Mapped[int] = mapped_column(OID)
    created_at: Mapped[CreatedAt]
