"""The form of a log line, and the fields that no log line contains."""

import logging
import re
import sys
import traceback
from collections.abc import Hashable, Iterable, Mapping
from importlib import import_module
from itertools import islice
from typing import Literal

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from xnovu_poller.errors import ConfigError

Logger = structlog.stdlib.BoundLogger

NEVER_LOGGED = frozenset(
    {
        "authorization",
        "body",
        "database_url",
        "dsn",
        "headers",
        "novu_secret_key",
        "overrides",
        "password",
        "payload",
        "recipients",
        "secret",
        "sentry_dsn",
        "sqlalchemy_url",
        "subscriber_id",
        "temporal_api_key",
        "token",
    }
)
"""Fields that are removed from every line, in any case and at any depth."""

SHOWN_AT_MOST = 20
"""A line shows this many ids; it also has their number."""

_OURS = "xnovu_poller"
_LOGIN_IN_URL = re.compile(r"(?<=://)[^/@\s]+@")
# PostgreSQL quotes the row in these lines.
_DETAIL = re.compile(r"\n\s*(DETAIL|CONTEXT):[^\n]*")


def get(name: str) -> Logger:
    """Return the logger of a module; `name` is its `__name__`.

    An event is three or four fixed words; all facts are fields: `log.info("rows claimed", loop="new", rows=3)`.
    """
    logger: Logger = structlog.stdlib.get_logger(name)
    return logger


def configure(level: str, form: Literal["auto", "json", "console"]) -> None:
    """Write our lines and those of all libraries to stderr, in one form.

    Libraries log only warnings and errors, at any level: below that, drivers and HTTP clients log the
    rows and headers that they transfer.

    Args:
        level: `debug`, `info`, `warning` or `error`.
        form: `json` for machines, `console` for people, `auto` for the form that fits: people read a terminal.
    """
    if form == "auto":
        form = "console" if sys.stderr.isatty() else "json"
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        _add_component,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(processors=_final_processors(form), foreign_pre_chain=shared)
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(logging.WARNING, _to_number(level)))
    logging.getLogger(_OURS).setLevel(_to_number(level))


def each_step(logger: Logger, event: str, facts: Iterable[Mapping[str, object]], **fields: object) -> None:
    """Write at `debug` a line for each of the notifications that take a step; at other levels it costs nothing.

    Args:
        facts: the facts of each notification; a generator is not run at other levels.
    """
    if logging.getLogger(_OURS).isEnabledFor(logging.DEBUG):
        for each in facts:
            logger.debug(event, **each, **fields)


def first_of(ids: Iterable[Hashable]) -> list[Hashable]:
    """Return the first few ids of a batch, for a line at `debug`."""
    return list(islice(ids, SHOWN_AT_MOST))


def trace(error: BaseException) -> str:
    """Return the places in our code that an exception passed through, without its message, which may quote a payload."""
    frames = traceback.extract_tb(error.__traceback__)
    return " > ".join(f"{frame.name}:{frame.lineno}" for frame in frames if _OURS in frame.filename)


def bug(logger: Logger, event: str, error: BaseException, **fields: object) -> None:
    """Log an exception that is a bug of ours: its type and where it was raised, never its message."""
    logger.error(event, bug=type(error).__name__, at=trace(error), **fields)


def redact(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """Remove the fields in NEVER_LOGGED, and logins from URLs."""
    return {name: _clean(value) for name, value in line.items() if name.lower() not in NEVER_LOGGED}


def report_to_sentry(dsn: str) -> None:
    """Also send errors to Sentry, without local variables.

    Raises:
        ConfigError: the package `sentry-sdk` is not installed, or it refuses this DSN.
    """
    try:
        sentry = import_module("sentry_sdk")
    except ImportError:
        raise ConfigError(
            ["SENTRY_DSN: needs the package sentry-sdk; install xnovu-poller[sentry]"]
        ) from None
    try:
        # Locals hold payloads and keys.
        sentry.init(dsn=dsn, send_default_pii=False, include_local_variables=False)
    except ValueError:
        raise ConfigError(["SENTRY_DSN: is not a valid DSN; copy it from your Sentry project"]) from None


def _add_component(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """Add the room that a line of ours is from, such as `delivery`; of a library, its name."""
    package, _, module = line["logger"].partition(".")
    line["component"] = (module.partition(".")[0] or package) if package == _OURS else package
    return line


def _final_processors(form: Literal["json", "console"]) -> list[Processor]:
    renderer: Processor = structlog.processors.JSONRenderer()
    if form == "console":
        # The default formatter prints the local variables of every frame.
        plain = structlog.dev.plain_traceback
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)
    return [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        redact,
        renderer,
    ]


def _clean(value: object) -> object:
    match value:
        case str():
            return _DETAIL.sub("", _LOGIN_IN_URL.sub("", value))
        case dict():
            return {key: _clean(part) for key, part in value.items() if str(key).lower() not in NEVER_LOGGED}
        case list() | tuple():
            return [_clean(part) for part in value]
        case _:
            return value


def _to_number(level: str) -> int:
    return logging.getLevelNamesMapping()[level.upper()]
