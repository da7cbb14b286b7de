"""Open the schedules of rules for others than a worker, and fire a rule for somebody who waits."""

import asyncio

from xnovu_poller.errors import TemporalUnavailable
from xnovu_poller.store import identity
from xnovu_poller.store.engine import Engine
from xnovu_poller.temporal.rules.schedules import RuleSchedules
from xnovu_poller.temporal.search import SearchAttributes
from xnovu_poller.temporal.shared import SharedClient

_PATIENCE_SECONDS = 5


async def open_schedules(engine: Engine, temporal: SharedClient, *, renew: bool = True) -> RuleSchedules:
    """Return the schedules of the rules of a database.

    Args:
        renew: as in `identity.read_deployment`.

    Raises:
        DeploymentDisputed: the database is a copy, so the rules of another would be fired and changed.
        StoreUnavailable: PostgreSQL does not answer.
        TemporalError: Temporal does not answer, or refuses.
    """
    deployment = await identity.read_deployment(engine, renew=renew)
    return RuleSchedules(
        await temporal.lend(),
        deployment=deployment.id,
        task_queue=temporal.settings.temporal_task_queue,
        search=SearchAttributes(registered=True),
    )


async def fire_rule(
    engine: Engine, temporal: SharedClient, rule_id: int, enterprise_id: str, key: str | None = None
) -> str:
    """Fire a rule for somebody who waits; return the id of the run.

    Args:
        key: as in `RuleSchedules.fire`.

    Raises:
        DeploymentDisputed, StoreUnavailable: as `open_schedules`; nothing was fired.
        TemporalError: Temporal does not answer in time, or refuses; the rule may have been fired.
    """
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            schedules = await open_schedules(engine, temporal, renew=False)
            return await schedules.fire(rule_id, enterprise_id, key)
    except TimeoutError:
        raise TemporalUnavailable(f"within {_PATIENCE_SECONDS} s") from None
