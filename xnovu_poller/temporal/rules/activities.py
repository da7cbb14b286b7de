"""The activity of a rule: it makes one notification, from the rule as it is now."""

from datetime import datetime

from temporalio import activity

from xnovu_poller import log, metrics
from xnovu_poller.store import rules
from xnovu_poller.store.engine import Engine
from xnovu_poller.temporal import contract
from xnovu_poller.temporal.boundary import ActivityBoundary
from xnovu_poller.temporal.contract import FireInput

_log = log.get(__name__)


class RuleActivities:
    """Fires rules.

    Args:
        engine: where they are.
        deployment: whose rules this process may fire.
    """

    def __init__(self, engine: Engine, deployment: str) -> None:
        self._engine = engine
        self._edge = ActivityBoundary(deployment)

    @activity.defn(name=contract.FIRE)
    async def fire(self, work: FireInput) -> str:
        """Make the notification of a firing.

        Guarantee: any number of tries make one, for the id of the workflow is its `dedup_key`; so a range that
        is gone through again makes none.

        Returns:
            How it ended; that no notification was made is no failure.

        Raises:
            ApplicationError: to be tried again, or the rule is another deployment's.
        """
        async with self._edge.around(work.deployment, contract.HEARTBEAT_TIMEOUT):
            only = None if work.at is None else datetime.fromisoformat(work.at)
            key = activity.info().workflow_id
            fired = await rules.fire(self._engine, work.rule_id, key or "", only)
            metrics.RULES_FIRED.labels(fired.outcome).inc()
            _log.info(
                "rule fired",
                rule_id=work.rule_id,
                outcome=fired.outcome,
                notification_id=fired.notification_id,
            )
        return fired.outcome
