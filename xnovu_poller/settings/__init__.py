"""The settings: environment variables, read once."""

from xnovu_poller.settings.environment import child_environment, load, load_database, load_temporal, misspelt
from xnovu_poller.settings.handbook import Row, table
from xnovu_poller.settings.model import DatabaseSettings, Settings, TemporalSettings

__all__ = [
    "DatabaseSettings",
    "Row",
    "Settings",
    "TemporalSettings",
    "child_environment",
    "load",
    "load_database",
    "load_temporal",
    "misspelt",
    "table",
]
