"""The shape of the tables, as far as you can check it without a database."""

import pytest
from sqlalchemy import CheckConstraint, Enum, Table

from xnovu_poller import lifecycle, models
from xnovu_poller.models import Base
from xnovu_poller.models.base import SCHEMA

MACHINES = {
    "notification_status", "transaction_id", "attempt", "failure_count", "refusals", "unknown_outcomes", "lapses",
    "lease_expires_at", "send_until", "next_attempt_at", "retract_requested_at", "processed_at", "retracted_at",
    "temporal_workflow_id", "error_details", "retraction_reason", "created_at", "updated_at",
}  # fmt: skip


def test_every_table_is_ours_and_has_a_model() -> None:
    """Each table has a file, and all are in one schema."""
    tables = {table.name for table in Base.metadata.tables.values()}

    assert {table.schema for table in Base.metadata.tables.values()} == {SCHEMA}
    assert tables == {getattr(models, name).__tablename__ for name in models.__all__ if name != "Base"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("notification_status", lifecycle.Status),
        ("publish_status", lifecycle.PublishStatus),
        ("channel_type", lifecycle.Channel),
        ("workflow_type", lifecycle.WorkflowType),
        ("rule_trigger_type", lifecycle.RuleTrigger),
        ("rule_status", lifecycle.RuleStatus),
    ],
)
def test_each_database_type_has_the_values_of_its_enum(name: str, words: type[lifecycle.Status]) -> None:
    """The order is the same too, because PostgreSQL sorts by it."""
    found = {kind.name: kind for kind in _enums()}

    assert found[name].enums == list(words)


def _enums() -> list[Enum]:
    return [
        kind
        for table in Base.metadata.tables.values()
        for column in table.columns
        for kind in (column.type, getattr(column.type, "item_type", None))
        if isinstance(kind, Enum)
    ]


def test_a_producer_need_not_set_the_machines_columns() -> None:
    """Each of them has a default or may be NULL."""
    columns = Base.metadata.tables[f"{SCHEMA}.ent_notification"].columns

    assert [
        name for name in MACHINES if not columns[name].nullable and columns[name].server_default is None
    ] == []


@pytest.mark.parametrize("table", Base.metadata.tables.values(), ids=lambda table: table.name)
def test_every_check_has_a_name(table: Table) -> None:
    """The database's error message names the check that failed."""
    for constraint in table.constraints:
        if isinstance(constraint, CheckConstraint):
            assert str(constraint.name).startswith(f"{table.name}_")
            assert str(constraint.name).endswith("_check")
