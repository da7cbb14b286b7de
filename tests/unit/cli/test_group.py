"""`xnovu`: every command has help, and every error of ours is a sentence with an exit code."""

import subprocess
import sys
from collections.abc import Iterator
from uuid import UUID

import click
import pytest
from click.testing import CliRunner

from tests.support.programs import ENVIRONMENT
from xnovu_poller.cli.group import PLACES, xnovu
from xnovu_poller.cli.version import describe_version
from xnovu_poller.errors import (
    ConfigError,
    DeploymentDisputed,
    SchemaBehind,
    SchemaUnreleased,
    StoreUnavailable,
    XnovuError,
)


def paths(group: click.Group, *before: str) -> Iterator[tuple[str, ...]]:
    """Yield the words of each command and group."""
    for name, command in group.commands.items():
        yield (*before, name)
        if isinstance(command, click.Group):
            yield from paths(command, *before, name)


def run(*words: str) -> tuple[int, str]:
    """Run a command in this process; return its exit code and output."""
    ended = CliRunner().invoke(xnovu, words)
    return ended.exit_code, ended.output


@pytest.mark.parametrize("words", [(), *paths(xnovu)], ids=" ".join)
def test_every_command_has_help(words: tuple[str, ...]) -> None:
    """It has at least one sentence, and a text for each of its options."""
    command: click.Command = xnovu
    for word in words:
        assert isinstance(command, click.Group)
        command = command.commands[word]

    code, text = run(*words, "--help")

    assert code == 0
    assert run(*words, "-h") == (code, text)
    assert len((command.help or "").split()) >= 6
    assert all(option.help for option in command.params if isinstance(option, click.Option))


def test_the_version_is_that_of_the_package() -> None:
    """You can see which release is installed."""
    assert run("--version") == (0, f"xnovu, version {describe_version()}\n")


def imported_by(program: str) -> set[str]:
    """Return the modules that a program has imported when it ends; it runs in its own process."""
    ended = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys\ntry:\n    {program}\nfinally:\n    print(*sys.modules, sep='\\n')",
        ],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(ended.stdout.split())


def below(modules: set[str], *packages: str) -> set[str]:
    """Return the modules that belong to certain packages."""
    return {name for name in modules if any(f"{name}.".startswith(f"{package}.") for package in packages)}


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_the_version_and_the_help_import_no_command(option: str) -> None:
    """They import none of the large libraries either, which take most of the time."""
    modules = imported_by(f"from xnovu_poller.cli.group import xnovu; xnovu([{option!r}])")

    assert below(modules, "xnovu_poller") == {
        "xnovu_poller",
        "xnovu_poller.cli",
        "xnovu_poller.cli.group",
        "xnovu_poller.cli.version",
        "xnovu_poller.errors",
        "xnovu_poller.errors.base",
        "xnovu_poller.errors.novu",
        "xnovu_poller.errors.store",
        "xnovu_poller.errors.temporal",
    }
    assert below(modules, "temporalio", "sqlalchemy", "pydantic", "rich", "asyncio") == set()


def test_a_worker_imports_nothing_of_the_one_machine_stack() -> None:
    """In production `dev/` and rich are not loaded."""
    modules = imported_by("from xnovu_poller.cli.group import xnovu; xnovu(['worker', 'start', '--help'])")

    assert below(modules, "xnovu_poller.service", "temporalio", "sqlalchemy")
    assert below(modules, "xnovu_poller.dev", "rich") == set()
    assert below(modules, "xnovu_poller.cli") == {
        "xnovu_poller.cli",
        "xnovu_poller.cli.group",
        "xnovu_poller.cli.output",
        "xnovu_poller.cli.signals",
        "xnovu_poller.cli.version",
        "xnovu_poller.cli.worker",
        "xnovu_poller.cli.worker.launch",
        "xnovu_poller.cli.worker.pid_file",
        "xnovu_poller.cli.worker.start",
    }


@pytest.mark.parametrize(
    "name",
    ["db", "notification", "rules", "templates", "workflows", "novu-standin", "worker health", "config"],
)
def test_a_command_imports_no_library_that_it_does_not_need(name: str) -> None:
    """Temporal's SDK and the libraries of the worker take most of a second to load."""
    words = [*name.split(), "--help"]
    modules = imported_by(f"from xnovu_poller.cli.group import xnovu; xnovu({words!r})")

    of_the_worker = ("temporalio", "aiohttp", "prometheus_client", "apscheduler", "uvloop")
    assert below(modules, *of_the_worker, "xnovu_poller.service", "xnovu_poller.delivery") == set()


@pytest.mark.parametrize("name", PLACES)
def test_the_list_of_commands_shows_the_first_sentence_of_each(name: str) -> None:
    """The sentences are written down a second time, so that the list imports no command."""
    assert PLACES[name].help == xnovu.commands[name].get_short_help_str(limit=200).removesuffix(".")
    assert name in run("--help")[1]


def test_an_unknown_command_is_refused() -> None:
    """Click does that, with exit code 2."""
    code, text = run("wroker")

    assert code == 2
    assert "No such command 'wroker'" in text


def test_an_earlier_name_of_a_command_is_an_alias() -> None:
    """It is not listed, because nobody has to learn it."""
    code, text = run("daemon", "start", "--help")

    assert code == 0
    assert text == run("worker", "start", "--help")[1].replace("xnovu worker start", "xnovu daemon start")
    assert "daemon" not in run("--help")[1]


def test_internal_commands_are_not_listed() -> None:
    """Only `worker start` runs `worker execute`."""
    assert "execute" not in run("worker", "--help")[1]


@pytest.mark.parametrize(
    ("error", "code", "output"),
    [
        (
            ConfigError(["A: is not set", "B: must be odd"]),
            2,
            "xnovu: settings:\n  A: is not set\n  B: must be odd\n",
        ),
        (SchemaBehind("0001_initial", "0002_b"), 3, f"xnovu: {SchemaBehind('0001_initial', '0002_b')}\n"),
        (SchemaUnreleased("0008"), 3, f"xnovu: {SchemaUnreleased('0008')}\n"),
        (
            DeploymentDisputed(UUID(int=1), "a sign"),
            1,
            f"xnovu: {DeploymentDisputed(UUID(int=1), 'a sign')}\n",
        ),
        (StoreUnavailable("gone"), 1, "xnovu: database: does not answer (gone)\n"),
    ],
    ids=["settings", "schema", "unreleased", "copy", "other"],
)
def test_an_error_is_a_sentence_and_an_exit_code(
    error: XnovuError, code: int, output: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person who can correct the fault needs no traceback."""

    @click.command
    def fail() -> None:
        raise error

    monkeypatch.setitem(xnovu.commands, "fail", fail)

    assert run("fail") == (code, output)
