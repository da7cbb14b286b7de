"""A rule is fired for somebody who waits: soon, or not at all, and never that of another database."""

import pytest

from tests.support.proxy import LOOPBACK, proxied
from tests.support.rows import Db, a_rule, a_workflow, engine_on
from tests.support.waiting import WITHIN
from xnovu_poller.errors import DeploymentDisputed, TemporalUnavailable
from xnovu_poller.settings import TemporalSettings
from xnovu_poller.temporal.rules import fire
from xnovu_poller.temporal.rules.fire import fire_rule
from xnovu_poller.temporal.shared import SharedClient


async def test_a_rule_is_fired_soon_or_not_at_all(
    db: Db, database: str, temporal_address: str, task_queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Temporal is silent, and answers again; then the rows turn out to be those of another database."""
    monkeypatch.setattr(fire, "_PATIENCE_SECONDS", WITHIN)
    rule = a_rule(db, workflow=a_workflow(db))
    async with proxied(f"grpc://{temporal_address}") as proxy, engine_on(database) as engine:
        temporal = SharedClient(
            TemporalSettings.model_validate(
                {
                    "DATABASE_URL": database,
                    "TEMPORAL_ADDRESS": f"{LOOPBACK}:{proxy.port}",
                    "TEMPORAL_TASK_QUEUE": task_queue,
                }
            )
        )
        run_id = await fire_rule(engine, temporal, rule, "acme", "key")
        proxy.hang()
        with monkeypatch.context() as patch:
            patch.setattr(fire, "_PATIENCE_SECONDS", 0.1)
            with pytest.raises(TemporalUnavailable):
                await fire_rule(engine, temporal, rule, "acme", "key")
        proxy.mend()
        assert await fire_rule(engine, temporal, rule, "acme", "key") == run_id
        await (await temporal.lend()).get_workflow_handle(run_id).terminate()
        db.execute("UPDATE notify.deployment SET database = 'another'")
        with pytest.raises(DeploymentDisputed):
            await fire_rule(engine, temporal, rule, "acme", "key")
