"""Rules and chores of a test: change them, and read their states and the notifications that they made."""

from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

from psycopg import sql
from temporalio.client import Client, ScheduleHandle, WorkflowHandle

from tests.support.rows import Db, a_rule
from tests.support.scheduling import made_by, rule_row
from tests.support.waiting import eventually
from xnovu_poller.temporal.rules.schedules import RuleSchedules


def at_once(db: Db, workflow: int, ago: timedelta, **config: object) -> tuple[int, datetime]:
    """Insert a one-time rule whose time was this long ago; a negative duration means the future."""
    at = (datetime.now(UTC) - ago).replace(microsecond=0)
    trigger = {"at": at.isoformat(), **config}
    return a_rule(db, workflow=workflow, trigger_type="SCHEDULE", trigger_config=trigger), at


def changed(db: Db, rule_id: int, change: LiteralString) -> None:
    """Change a rule's row."""
    statement = sql.SQL("UPDATE notify.ent_notification_rule SET {} WHERE id = {}")
    db.execute(statement.format(sql.SQL(change), sql.Literal(rule_id)))


def made(db: Db, rule_id: int) -> list[str]:
    """Return the dedup keys of a rule's notifications."""
    return [row["dedup_key"] for row in made_by(db, rule_id)]


def read_status(db: Db, rule_id: int) -> tuple[str | None, str | None]:
    """Return the status and the error in a rule's row."""
    row = rule_row(db, rule_id)
    return row["rule_status"], row["rule_error"]


async def listing(schedules: RuleSchedules, *rule_ids: int) -> None:
    """Wait until these rules are listed, and no others."""

    async def found() -> bool:
        return set(await schedules.list()) == set(rule_ids)

    await eventually(found)


async def paused(schedules: RuleSchedules, rule_id: int) -> bool:
    """Return whether the schedule of a rule is listed as paused."""
    return (await schedules.list())[rule_id].paused


async def tried(handle: WorkflowHandle[Any, Any], at_least: int) -> bool:
    """Return whether an activity of a run is at this try, or a later one."""
    pending = (await handle.describe()).raw_description.pending_activities
    return any(activity.attempt >= at_least for activity in pending)


async def report_of(client: Client, schedule: ScheduleHandle) -> dict[str, Any]:
    """Wait for the last run of the chores; return its report."""

    async def started_run() -> str | None:
        recent = (await schedule.describe()).info.recent_actions
        return getattr(recent[-1].action, "workflow_id", None) if recent else None

    report: dict[str, Any] = await client.get_workflow_handle(str(await eventually(started_run))).result()
    return report


async def has_refused(handle: WorkflowHandle[Any, Any]) -> bool:
    """Return whether an executor has refused an activity of a run."""
    return "ACTIVITY_TASK_FAILED" in str((await handle.fetch_history()).to_json_dict())
