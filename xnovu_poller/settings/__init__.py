"""What the environment says, read once."""

from xnovu_poller.settings.environment import child_environment, load, load_database, strangers
from xnovu_poller.settings.handbook import Row, table
from xnovu_poller.settings.model import DatabaseSettings, Settings

__all__ = [
    "DatabaseSettings",
    "Row",
    "Settings",
    "child_environment",
    "load",
    "load_database",
    "strangers",
    "table",
]
