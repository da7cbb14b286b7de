"""The settings: environment variables, read once."""

from xnovu_poller.settings.api import ApiSettings
from xnovu_poller.settings.environment import (
    child_environment,
    find_sources,
    hints,
    load,
    load_api,
    load_database,
    load_health,
    load_language,
    load_novu,
    load_temporal,
    load_temporal_address,
    override,
)
from xnovu_poller.settings.handbook import Row, show, table
from xnovu_poller.settings.model import Settings
from xnovu_poller.settings.operator import ApiProcessSettings, OperatorSettings
from xnovu_poller.settings.parts import (
    DatabaseSettings,
    HealthSettings,
    LanguageSettings,
    LogSettings,
    NovuSettings,
    TemporalAddressSettings,
    TemporalSettings,
)

__all__ = [
    "ApiProcessSettings",
    "ApiSettings",
    "DatabaseSettings",
    "HealthSettings",
    "LanguageSettings",
    "LogSettings",
    "NovuSettings",
    "OperatorSettings",
    "Row",
    "Settings",
    "TemporalAddressSettings",
    "TemporalSettings",
    "child_environment",
    "find_sources",
    "hints",
    "load",
    "load_api",
    "load_database",
    "load_health",
    "load_language",
    "load_novu",
    "load_temporal",
    "load_temporal_address",
    "override",
    "show",
    "table",
]
