"""Turns committed PostgreSQL rows into Novu notifications, exactly once."""

__version__ = "0.1.0"
