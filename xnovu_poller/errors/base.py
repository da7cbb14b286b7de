"""The base of the tree of errors, and the errors of settings."""

from collections.abc import Sequence
from typing import ClassVar


class XnovuError(Exception):
    """Every error that this project raises on purpose."""

    code: ClassVar[str] = "xnovu_error"
    retryable: ClassVar[bool] = False


class ConfigError(XnovuError):
    """Settings are missing or wrong; the error lists all of them."""

    code = "config_error"

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("settings: " + "; ".join(faults))
        self.faults = tuple(faults)
