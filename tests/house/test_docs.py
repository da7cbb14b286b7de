"""The handbook says what the code says."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from prometheus_client.metrics import MetricWrapperBase

from tests.house import sources
from xnovu_poller import errors, metrics, settings
from xnovu_poller.cli.group import xnovu
from xnovu_poller.errors import XnovuError

OPERATIONS = sources.text(Path("docs/operations.md"))


def setting_line(row: settings.Row) -> str:
    """Give the line of a setting, as the handbook prints it."""
    return f"| `{row.variable}` | `{row.default}` | {row.meaning} |"


def metric_names() -> Iterator[str]:
    """Give each metric by the name under which it is scraped, with its labels."""
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            (family, *_) = metric.describe()
            suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
            labels = ",".join(metric._labelnames)
            yield family.name + suffix + (f"{{{labels}}}" if labels else "")


def codes(kind: type[XnovuError]) -> Iterator[str]:
    """Give the codes of an error and of all below it in errors.py."""
    if kind.__module__ == errors.__name__:
        yield kind.code
        for child in kind.__subclasses__():
            yield from codes(child)


def commands(group: click.Group, called: str) -> Iterator[str]:
    """Give each command as one types it."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{called} {name}")
        elif not command.hidden:
            yield f"{called} {name}"


def rows_under(heading: str, text: str) -> list[str]:
    """Give the rows of the table that stands under a heading."""
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("| `")]


def test_every_setting_stands_in_the_handbook() -> None:
    """With its default and meaning, in the order of settings.py, and no other."""
    assert rows_under("Settings", OPERATIONS) == [setting_line(row) for row in settings.table()]


@pytest.mark.parametrize("name", [*metric_names()])
def test_every_metric_stands_in_the_handbook(name: str) -> None:
    """With its labels."""
    assert f"`{name}`" in OPERATIONS


@pytest.mark.parametrize("code", [*codes(XnovuError)])
def test_every_code_stands_in_the_handbook(code: str) -> None:
    """Whoever finds a code in a row or a metric finds what to do."""
    assert f"| `{code}` |" in OPERATIONS


def test_every_command_is_told() -> None:
    """In the README or the handbook."""
    told = OPERATIONS + sources.text(Path("README.md"))
    assert [command for command in commands(xnovu, "xnovu") if f"`{command}" not in told] == []


def test_a_missing_command_would_be_seen() -> None:
    """Commands are found at any depth."""
    worker = click.Group("worker", commands={"start": click.Command("start")})
    xnovu = click.Group("xnovu", commands={"worker": worker, "dev": click.Command("dev")})

    assert list(commands(xnovu, "xnovu")) == ["xnovu worker start", "xnovu dev"]


def test_a_row_of_another_table_is_not_taken_for_a_setting() -> None:
    """A table ends where the next heading begins."""
    text = "\n## Settings\n\n| `A` | 1 |\n\n## Metrics\n\n| `b` |\n"

    assert rows_under("Settings", text) == ["| `A` | 1 |"]


def test_the_handbook_is_compared_with_something() -> None:
    """Rules over empty lists would hold for ever."""
    assert len(settings.table()) > 30
    assert len(list(metric_names())) > 15
    assert len(list(codes(XnovuError))) > 15
