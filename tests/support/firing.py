"""Rules and chores of a test: changed, asked what became of them, and what they have made."""

from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

from psycopg import sql
from temporalio.client import Client, ScheduleHandle, WorkflowHandle

from tests.support.rows import Db, a_rule
from tests.support.scheduling import made_by, rule_row
from tests.support.waiting import eventually
from xnovu_poller.temporal.rules.schedules import RuleSchedules


def at_once(db: Db, workflow: int, ago: timedelta, **config: object) -> tuple[int, datetime]:
    """Insert a one-time rule whose time is so long ago; ahead, if it is negative."""
    at = (datetime.now(UTC) - ago).replace(microsecond=0)
    trigger = {"at": at.isoformat(), **config}
    return a_rule(db, workflow=workflow, trigger_type="SCHEDULE", trigger_config=trigger), at


def changed(db: Db, rule_id: int, change: LiteralString) -> None:
    """Change a rule's row."""
    statement = sql.SQL("UPDATE notify.ent_notification_rule SET {} WHERE id = {}")
    db.execute(statement.format(sql.SQL(change), sql.Literal(rule_id)))


def made(db: Db, rule_id: int) -> list[str]:
    """Give the dedup keys of a rule's notifications."""
    return [row["dedup_key"] for row in made_by(db, rule_id)]


def told(db: Db, rule_id: int) -> tuple[str | None, str | None]:
    """Give what a rule's row says became of it."""
    row = rule_row(db, rule_id)
    return row["rule_status"], row["rule_error"]


async def listing(schedules: RuleSchedules, *rule_ids: int) -> None:
    """Wait until these rules are listed, and no others."""

    async def found() -> bool:
        return set(await schedules.listed()) == set(rule_ids)

    await eventually(found)


async def paused(schedules: RuleSchedules, rule_id: int) -> bool:
    """Say whether the schedule of a rule is listed as standing still."""
    return (await schedules.listed())[rule_id].paused


async def tried(handle: WorkflowHandle[Any, Any], at_least: int) -> bool:
    """Say whether an activity of a workflow is at such a try."""
    pending = (await handle.describe()).raw_description.pending_activities
    return any(one.attempt >= at_least for one in pending)


async def report_of(client: Client, orchestration: ScheduleHandle) -> dict[str, Any]:
    """Wait for the last orchestration that was begun; give what it reports."""

    async def begun() -> str | None:
        recent = (await orchestration.describe()).info.recent_actions
        return getattr(recent[-1].action, "workflow_id", None) if recent else None

    report: dict[str, Any] = await client.get_workflow_handle(str(await eventually(begun))).result()
    return report


async def has_refused(handle: WorkflowHandle[Any, Any]) -> bool:
    """Say whether somebody has refused an activity of a workflow."""
    return "ACTIVITY_TASK_FAILED" in str((await handle.fetch_history()).to_json_dict())
