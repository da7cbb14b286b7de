"""Notifications that differ in everything by which a person can choose them."""

from datetime import datetime, timedelta
from typing import Any

from tests.support.rows import Db, a_notification, a_rule, a_workflow, back_dated, row, unguarded, written
from xnovu_poller.lifecycle import Status
from xnovu_poller.store.notifications.filters import Filters

ENTERPRISES = ("acme", "Ölwerk", "zeta")


def in_every_state(db: Db) -> dict[int, tuple[str, Status]]:
    """Insert a notification of each enterprise in each state; return their enterprises and states by id."""
    return {
        a_notification(db, enterprise=enterprise, status=status): (enterprise, status)
        for status in Status
        for enterprise in ENTERPRISES
    }


def by_each_filter(db: Db) -> dict[int, Filters]:
    """Insert DEAD notifications, each of which a filter of its own finds; return the filters by id."""
    workflow, other = a_workflow(db, key="evacuate"), a_workflow(db)
    rule = a_rule(db, workflow=other)
    columns: dict[str, dict[str, Any]] = {
        "code": {},
        "workflow": {"workflow": workflow},
        "rule": {"notification_rule_id": rule},
        "tag": {"tags": ["campaign-7", "b"]},
        "recipient": {"recipients": ["user-16", "topic:17"]},
        "since": {},
    }
    made = {
        name: a_notification(db, **{"workflow": other, "status": Status.DEAD, **chosen})
        for name, chosen in columns.items()
    }
    written(db, made["code"], error_details={"code": "poison", "message": "delivery: its sender died"})
    last_of_former = _move(db, [id_ for name, id_ in made.items() if name != "since"])
    return {
        made["code"]: Filters(code="poison"),
        made["workflow"]: Filters(workflow="evacuate"),
        made["rule"]: Filters(rule=rule),
        made["tag"]: Filters(tag="campaign-7"),
        made["recipient"]: Filters(recipient="topic:17"),
        made["since"]: Filters(since=last_of_former + timedelta(microseconds=1)),
    }


def _move(db: Db, ids: list[int]) -> datetime:
    """Move the insert of notifications into the past; return the newest time."""
    with unguarded(db):
        for id_ in ids:
            back_dated(db, id_, timedelta(hours=1), "created_at")
    newest: datetime = max(row(db, id_)["created_at"] for id_ in ids)
    return newest
