"""Log lines have one form, and secrets never appear in them."""

import json
import logging
import re
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from xnovu_poller import log
from xnovu_poller.errors import ConfigError

# A traceback shows the line that raised the error, so this text must not be on that line.
QUOTES_A_ROW = "duplicate key at postgres://u:hush@db\nDETAIL:  Key (name)=(hush) already exists."

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("xnovu_poller")
    before = (list(root.handlers), root.level, ours.level)
    yield
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    ours.setLevel(before[2])
    structlog.reset_defaults()


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Lines:
    """Return a function that reads the lines written since its last call."""
    return lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_is_an_event_and_its_facts(lines: Lines) -> None:
    """Machines can search the fields; the time is UTC."""
    log.configure("info", "json")

    log.get("xnovu_poller.loops").info("rows claimed", loop="new", rows=3)

    (line,) = lines()
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "rows claimed",
        "level": "info",
        "logger": "xnovu_poller.loops",
        "component": "loops",
        "loop": "new",
        "rows": 3,
    }


def test_the_steps_of_notifications_cost_nothing_above_debug(lines: Lines) -> None:
    """At debug each is a line; otherwise their facts are not even put together."""
    logger = log.get("xnovu_poller.delivery.record")
    made: list[int] = []

    def facts() -> Iterator[dict[str, object]]:
        for number in (1, 2):
            made.append(number)
            yield {"notification": number}

    log.configure("info", "json")
    log.each_step(logger, "notification held", facts())
    assert (lines(), made) == ([], [])
    log.configure("debug", "json")
    log.each_step(logger, "notification held", facts(), asked=2)

    assert [(line["notification"], line["asked"], line["component"]) for line in lines()] == [
        (1, 2, "delivery"),
        (2, 2, "delivery"),
    ]


def test_below_the_level_nothing_is_written(lines: Lines) -> None:
    """The level applies to our own loggers."""
    log.configure("info", "json")

    log.get("xnovu_poller").debug("turn begun")

    assert lines() == []


@pytest.mark.parametrize(
    "library", ["sqlalchemy.engine", "temporalio", "apscheduler", "uvicorn.error", "httpx"]
)
def test_libraries_log_in_our_form(lines: Lines, library: str) -> None:
    """You can search for a library's errors as for ours."""
    log.configure("info", "json")

    logging.getLogger(library).error("%s is slow", "it")

    (line,) = lines()
    assert (line["event"], line["level"], line["logger"]) == ("it is slow", "error", library)
    assert line["component"] == library.partition(".")[0]


def test_libraries_stay_quiet_below_warning(capsys: pytest.CaptureFixture[str]) -> None:
    """Drivers and HTTP clients would log rows and headers."""
    log.configure("debug", "json")

    logging.getLogger("httpcore").info("authorization: hush")

    assert capsys.readouterr().err == ""


def test_some_fields_are_never_written(lines: Lines) -> None:
    """If somebody logs a payload or a key by mistake, none of it is written."""
    log.configure("info", "json")

    log.get("xnovu_poller").info(
        "turn done",
        payload={"a": "hush"},
        Recipients=["hush"],
        row=[{"secret": "hush", "id": 7}],
        token="hush",
    )

    (line,) = lines()
    assert "hush" not in json.dumps(line)
    assert line["row"] == [{"id": 7}]


def test_secrets_are_removed_from_libraries_lines_too(lines: Lines) -> None:
    """The filter is at the end of the chain."""
    log.configure("info", "json")

    logging.getLogger("temporalio").warning("at postgresql://worker:hush@db/app")

    assert lines()[0]["event"] == "at postgresql://db/app"


def _fail(sentence: str) -> None:
    raise ValueError(sentence)


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_holds_no_row_and_no_login(
    capsys: pytest.CaptureFixture[str],
    form: Any,  # noqa: ANN401 - a literal of configure
) -> None:
    """PostgreSQL quotes rows in DETAIL; local variables are not printed."""
    log.configure("info", form)

    try:
        _fail(QUOTES_A_ROW)
    except ValueError:
        log.get("xnovu_poller").exception("turn failed")

    written = capsys.readouterr().err
    assert "duplicate key at postgres://db" in written
    assert "hush" not in written


def test_console_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    """The event comes first, and there are no braces."""
    log.configure("info", "console")

    log.get("xnovu_poller").info("rows claimed", loop="new")

    assert "rows claimed" in capsys.readouterr().err


@pytest.mark.parametrize(("is_terminal", "begins"), [(True, "20"), (False, "{")])
def test_a_terminal_gets_lines_for_people(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    is_terminal: bool,  # noqa: FBT001 - pytest passes it by name
    begins: str,
) -> None:
    """Everything else gets JSON."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
    log.configure("info", "auto")
    log.get("xnovu_poller.test").info("rows claimed")

    assert re.sub(r"\x1b\[\d*m", "", capsys.readouterr().err).startswith(begins)


def test_sentry_needs_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the DSN is set but the package is missing, the worker must not just go on without Sentry."""
    monkeypatch.setitem(sys.modules, "sentry_sdk", None)

    with pytest.raises(ConfigError, match="SENTRY_DSN: needs the package sentry-sdk"):
        log.report_to_sentry("https://hush@sentry/1")


def test_sentry_gets_no_local_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Local variables hold payloads and keys."""
    options: dict[str, object] = {}
    monkeypatch.setitem(
        sys.modules, "sentry_sdk", SimpleNamespace(init=lambda **given: options.update(given))
    )

    log.report_to_sentry("https://hush@sentry/1")

    assert options["dsn"] == "https://hush@sentry/1"
    assert options["include_local_variables"] is False
    assert options["send_default_pii"] is False


def test_a_dsn_that_sentry_refuses_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the variable, never the value."""

    def init(**_given: object) -> None:
        raise ValueError("Unsupported scheme 'hush'")

    monkeypatch.setitem(sys.modules, "sentry_sdk", SimpleNamespace(init=init))

    with pytest.raises(ConfigError) as raised:
        log.report_to_sentry("hush")

    assert raised.value.faults == ("SENTRY_DSN: is not a valid DSN; copy it from your Sentry project",)


def test_a_trace_contains_the_place_but_not_the_message() -> None:
    """The message of a foreign error may quote a payload."""
    with pytest.raises(KeyError, match="HUSH") as caught:
        log.configure("hush", "json")

    written = log.trace(caught.value)

    assert re.fullmatch(r"configure:\d+ > _to_number:\d+", written)
