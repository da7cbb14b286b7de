"""How the API finds out how its servers are."""

from datetime import timedelta

from tests.support.api import NO_NOVU
from tests.support.novu import NovuStandIn
from xnovu_poller.errors import XnovuError
from xnovu_poller.novu.calls import Client
from xnovu_poller.service.api_health import ApiHealth, open_novu
from xnovu_poller.settings import ApiProcessSettings, NovuSettings
from xnovu_poller.store import session
from xnovu_poller.store.engine import connect
from xnovu_poller.temporal.shared import SharedClient


async def test_servers_that_are_away_are_named_and_seldom_asked(
    database: str, novu_standin: NovuStandIn
) -> None:
    """The answer of Novu stands for a minute; an API without a key for it is healthy."""
    settings = ApiProcessSettings.model_validate(
        {"DATABASE_URL": database, "TEMPORAL_ADDRESS": "127.0.0.1:1"}
    )
    engine = connect(settings.sqlalchemy_url, part="api", kind=session.API)
    client = open_novu(
        NovuSettings.model_validate({"NOVU_API_URL": novu_standin.url, "NOVU_SECRET_KEY": "key"})
    )
    assert isinstance(client, Client)
    away = Client("http://127.0.0.1:1", "key", timedelta(seconds=5))
    try:
        for novu, status in ((client, "healthy"), (away, "unhealthy"), (open_novu(NO_NOVU), "healthy")):
            health = ApiHealth(engine, SharedClient(settings), novu)
            probes = {probe.name: probe.ask for probe in health.probes}
            answers = {}
            for name, ask in probes.items():
                try:
                    answers[name] = (await ask()).status
                except XnovuError:
                    answers[name] = (await ask()).status
            assert answers == {
                "database": "healthy",
                "workflows": "healthy",
                "temporal": "unhealthy",
                "novu": status,
            }
    finally:
        await client.aclose()
        await away.aclose()
        await engine.dispose()
