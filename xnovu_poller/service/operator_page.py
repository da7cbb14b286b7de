"""Build the operator's page for the process of the API."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from xnovu_poller.errors import ConfigError
from xnovu_poller.lifecycle import Language
from xnovu_poller.settings import ApiProcessSettings, NovuSettings
from xnovu_poller.temporal.shared import SharedClient
from xnovu_poller.web.page.access import Access
from xnovu_poller.web.page.app import OperatorPage
from xnovu_poller.web.page.outside import Outside
from xnovu_poller.web.proxies import Proxies


@asynccontextmanager
async def open_page(
    settings: ApiProcessSettings, temporal: SharedClient, novu: NovuSettings | ConfigError
) -> AsyncIterator[OperatorPage | None]:
    """Yield the operator's page; None if nobody may look at it."""
    if not settings.has_page:
        yield None
        return
    may_act = settings.operator_role == "operator"
    password, url = settings.operator_password, settings.operator_database_url or settings.database_url
    access = Access(
        password=None if password is None else password.get_secret_value(),
        header=settings.operator_trusted_header,
        proxies=Proxies(settings.trusted_networks),
        may_act=may_act,
    )
    outside = Outside(
        temporal=temporal,
        novu=novu,
        language=Language(settings.default_locale, settings.default_time_zone),
    )
    page = OperatorPage(url.get_secret_value(), access, may_act=may_act, outside=outside)
    try:
        yield page
    finally:
        await page.aclose()
