"""The activity of a rule: it makes one notification from the rule as it is now."""

from datetime import datetime

from temporalio import activity

from xnovu_poller import log, metrics
from xnovu_poller.store import firing
from xnovu_poller.store.engine import Engine
from xnovu_poller.temporal import contract
from xnovu_poller.temporal.boundary import ActivityBoundary
from xnovu_poller.temporal.contract import FireInput

_log = log.get(__name__)


class RuleActivities:
    """Fires rules.

    Args:
        engine: the pool.
        deployment: the only one whose rules this process may fire.
    """

    def __init__(self, engine: Engine, deployment: str) -> None:
        self._engine = engine
        self._boundary = ActivityBoundary(deployment)

    @activity.defn(name=contract.FIRE)
    async def fire(self, fire_input: FireInput) -> str:
        """Make the notification of a firing.

        Guarantee: all tries together make one notification, because the id of the run is its `dedup_key`. For the same
        reason a backfill makes none for a time that has fired.

        Returns:
            The outcome; to make no notification is not a failure.

        Raises:
            ApplicationError: PostgreSQL does not answer, or the rule belongs to another deployment.
        """
        async with self._boundary.guard(fire_input.deployment, contract.HEARTBEAT_TIMEOUT):
            nominal = None if fire_input.at is None else datetime.fromisoformat(fire_input.at)
            run_id = activity.info().workflow_id
            # An older version of the workflow passes no time.
            fired_at = None if fire_input.fired_at is None else datetime.fromisoformat(fire_input.fired_at)
            fired = await firing.fire(
                self._engine, fire_input.rule_id, run_id or "", nominal, fired_at=fired_at
            )
            metrics.RULES_FIRED.labels(fired.outcome).inc()
            _log.info(
                "rule fired",
                rule_id=fire_input.rule_id,
                outcome=fired.outcome,
                notification_id=fired.notification_id,
            )
        return fired.outcome
