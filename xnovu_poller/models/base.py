"""The base of the tables: schema, names of constraints, kinds of columns."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from sqlalchemy import (
    BigInteger,
    DateTime,
    Enum,
    Identity,
    Index,
    MetaData,
    false,
    func,
    literal_column,
    text,
)
from sqlalchemy.orm import DeclarativeBase, mapped_column

from xnovu_poller.lifecycle import Channel, PublishStatus, RuleStatus, RuleTrigger, Status, WorkflowType

SCHEMA = "notify"


class Base(DeclarativeBase):
    """The tables of the schema `notify`, as the migrations create them."""

    metadata = MetaData(
        schema=SCHEMA,
        naming_convention={
            "pk": "%(table_name)s_pkey",
            "ck": "%(table_name)s_%(constraint_name)s_check",
            "fk": "%(table_name)s_%(column_0_name)s_fkey",
        },
    )


def _enum(words: type[StrEnum], name: str) -> Enum:
    return Enum(words, name=name, schema=SCHEMA, metadata=Base.metadata)


STATUS = _enum(Status, "notification_status")
PUBLISH = _enum(PublishStatus, "publish_status")
CHANNEL = _enum(Channel, "channel_type")
WORKFLOW = _enum(WorkflowType, "workflow_type")
TRIGGER = _enum(RuleTrigger, "rule_trigger_type")
RULE = _enum(RuleStatus, "rule_status")

Id = Annotated[int, mapped_column(BigInteger, Identity(always=True), primary_key=True)]
Moment = Annotated[datetime, mapped_column(DateTime(timezone=True))]
MaybeMoment = Annotated[datetime | None, mapped_column(DateTime(timezone=True))]
CreatedAt = Annotated[datetime, mapped_column(DateTime(timezone=True), server_default=func.now())]
Off = Annotated[bool, mapped_column(server_default=false())]


def index_unsettled(table: str) -> Index:
    """Return the index of the published rows whose check is due or has found something, in the order of bytes."""
    return Index(
        f"{table}_unsettled",
        literal_column("coalesce(enterprise_id, '')").label("owner"),
        "id",
        postgresql_where=text(
            "publish_status = 'PUBLISH' AND NOT deactivated AND checked_status IS DISTINCT FROM 'OK'"
        ),
        postgresql_ops={"owner": "text_pattern_ops"},
    )
