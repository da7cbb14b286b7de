"""Rules as Temporal sees them: schedules that must equal the rows."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from temporalio.client import Client, ScheduleDescription, ScheduleHandle
from temporalio.service import RPCError, RPCStatusCode

from tests.support.rows import Db
from xnovu_poller.temporal import contract

RULE = "SELECT * FROM notify.ent_notification_rule WHERE id = %s"
MADE = "SELECT * FROM notify.ent_notification WHERE notification_rule_id = %s ORDER BY id"


def deployment_of(db: Db) -> UUID:
    """Return the deployment of a database."""
    found = db.execute("SELECT id FROM notify.deployment").fetchone()
    assert found is not None
    return UUID(str(found["id"]))


def rule_row(db: Db, rule_id: int) -> dict[str, Any]:
    """Read a rule in full."""
    found = db.execute(RULE, [rule_id]).fetchone()
    assert found is not None
    return found


def made_by(db: Db, rule_id: int) -> list[dict[str, Any]]:
    """Read the notifications of a rule."""
    return db.execute(MADE, [rule_id]).fetchall()


@dataclass(frozen=True, slots=True)
class Scheduling:
    """A deployment's schedules in Temporal."""

    client: Client
    deployment: UUID

    @classmethod
    async def of(cls, db: Db, temporal_address: str) -> "Scheduling":
        """Connect to Temporal for the deployment of a database."""
        return cls(await Client.connect(temporal_address), deployment_of(db))

    @property
    def chores(self) -> ScheduleHandle:
        """The schedule of the chores."""
        return self.client.get_schedule_handle(contract.chore_schedule_id(self.deployment))

    async def rule(self, rule_id: int) -> ScheduleDescription | None:
        """Describe the schedule of a rule; return None if there is none."""
        handle = self.client.get_schedule_handle(contract.rule_schedule_id(self.deployment, rule_id))
        try:
            return await handle.describe()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            raise

    async def hours(self, rule_id: int) -> list[int] | None:
        """Return the hours of each calendar of a rule's schedule; None if there is no schedule."""
        found = await self.rule(rule_id)
        if found is None:
            return None
        return [span.start for calendar in found.schedule.spec.calendars for span in calendar.hour]

    async def paused(self, rule_id: int) -> bool | None:
        """Return whether a rule's schedule is paused; None if there is none."""
        found = await self.rule(rule_id)
        return None if found is None else found.schedule.state.paused

    def fired_for(self, rule_id: int, at: datetime) -> str:
        """Return the id of the run that a rule's schedule starts for a time."""
        return contract.scheduled_run_id(contract.rule_schedule_id(self.deployment, rule_id), at)
