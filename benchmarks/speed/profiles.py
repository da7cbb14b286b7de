"""Where the time goes that a missed target wants: a sentence for each, printed under the table."""

from collections.abc import Mapping
from types import MappingProxyType

PROFILES: Mapping[str, str] = MappingProxyType({})
"""By the ratio's name; only what is missed is printed."""
