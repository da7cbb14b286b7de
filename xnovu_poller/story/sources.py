"""Ask Temporal and Novu for a story, as a deployment's settings name them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from urllib.parse import quote

from xnovu_poller.errors import ConfigError
from xnovu_poller.novu.activity import Activity, read_activity
from xnovu_poller.novu.calls import Client
from xnovu_poller.settings import NovuSettings, TemporalAddressSettings
from xnovu_poller.story.read import Sources
from xnovu_poller.temporal.delivery.history import Run, read_run
from xnovu_poller.temporal.setup import is_cloud
from xnovu_poller.temporal.shared import SharedClient

_PATIENCE = timedelta(seconds=5)
"""Somebody waits for the story."""

_CLOUD = "https://cloud.temporal.io"
_DEVELOPMENT = ("http://localhost:8233", ("localhost:7233", "127.0.0.1:7233"))


@asynccontextmanager
async def open_sources(temporal: SharedClient, novu: NovuSettings | ConfigError) -> AsyncIterator[Sources]:
    """Yield what asks Temporal and Novu; each is connected when it is first asked.

    Args:
        novu: how to ask Novu, or why it cannot be asked.
    """
    client: Client | None = None
    if isinstance(novu, NovuSettings):
        key = novu.novu_secret_key.get_secret_value()
        client = Client(novu.novu_api_url, key, min(novu.novu_timeout, _PATIENCE))

    async def ask_temporal(run_id: str) -> Run | None:
        return await read_run(await temporal.lend(), run_id)

    async def ask_novu(transaction_ids: Sequence[str]) -> Activity:
        if isinstance(novu, ConfigError):
            raise novu
        assert client is not None  # noqa: S101 - built above
        return await read_activity(client, transaction_ids)

    try:
        yield Sources(ask_temporal, ask_novu, lambda run_id: link_run(temporal.settings, run_id))
    finally:
        if client is not None:
            await client.aclose()


def link_run(settings: TemporalAddressSettings, run_id: str) -> str | None:
    """Return the address of a run in Temporal's web interface; None if nobody has named it."""
    base = settings.temporal_ui_url
    if base is None and is_cloud(settings.temporal_address):
        base = _CLOUD
    if base is None and settings.temporal_address in _DEVELOPMENT[1]:
        base = _DEVELOPMENT[0]
    if base is None:
        return None
    namespace, run = quote(settings.temporal_namespace, safe=""), quote(run_id, safe="")
    return f"{base.rstrip('/')}/namespaces/{namespace}/workflows/{run}"
