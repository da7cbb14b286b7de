"""The documents agree with the code: settings, metrics, codes, commands and words."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from prometheus_client.metrics import MetricWrapperBase

from tests.house import sources
from tests.house.test_english import DOCUMENTS
from tests.support.handbook import EXAMPLE, SETTINGS, example, setting_line, with_settings
from xnovu_poller import errors, metrics, settings
from xnovu_poller.cli.group import ALIASES, xnovu
from xnovu_poller.errors import XnovuError
from xnovu_poller.lifecycle import ChoreName

METRICS = sources.text(Path("docs/metrics.md"))
RUNBOOK = sources.text(Path("docs/runbook.md"))
GLOSSARY = sources.text(Path("docs/glossary.md"))
CONTRIBUTING = sources.text(Path("CONTRIBUTING.md"))
COMMANDS = "".join(sources.text(Path(name)) for name in ("README.md", "docs/rules.md", "docs/templates.md"))


def metric_names() -> Iterator[str]:
    """Return each metric by the name under which it is scraped, with its labels."""
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            (family, *_) = metric.describe()
            suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
            labels = ",".join(metric._labelnames)
            yield family.name + suffix + (f"{{{labels}}}" if labels else "")


def codes(kind: type[XnovuError]) -> Iterator[str]:
    """Return the codes of an error and of all below it in errors/."""
    if kind.__module__.startswith(errors.__name__):
        yield kind.code
        for child in kind.__subclasses__():
            yield from codes(child)


def commands(group: click.Group, called: str) -> Iterator[str]:
    """Return each command as you type it."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{called} {name}")
        elif not command.hidden:
            yield f"{called} {name}"


def printed(text: str) -> Iterator[list[str]]:
    """Return the words of each of our commands in code: in a line, or in a block, where a backslash goes on; `-n xnovu` is a namespace."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = (line for block in blocks for line in block.replace("\\\n", " ").splitlines())
    for code in (*re.findall(r"`(xnovu [^`]+)`", text), *lines):
        found = re.search(r"(?:^|[\s;|&])(?<!-n )xnovu ([^#|&;><$)]*)", code)
        if found is not None:
            yield found[1].split()


def unknown(words: list[str], command: click.Command) -> Iterator[str]:
    """Yield the words of a command line that its command does not know: a command, or an option."""
    for position, word in enumerate(words):
        if isinstance(command, click.Group) and re.fullmatch(r"[a-z][a-z-]*", word):
            known = command.commands.get(ALIASES.get(word, word))
            if known is None:
                yield word
                return
            command = known
        elif word.startswith("-"):
            options = {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
            if word.rstrip(",.…").partition("=")[0] not in options | {"--help", "-h"}:
                yield word
        elif isinstance(command, click.Group) and position == 0:
            return


def rows_under(heading: str, text: str) -> list[str]:
    """Return the rows of the tables below a heading whose first cell is code."""
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("| `")]


def first_cells(rows: list[str]) -> list[str]:
    """Return the code in the first cell of each row."""
    return [row.split("`")[1] for row in rows]


def words_of(contributing: str) -> set[str]:
    """Return the words of the left column of the table of words."""
    section = contributing.partition("\n## Words\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[1].strip() for line in section.splitlines() if line.startswith("| ")]
    return {word for row in rows if row not in {"we write", "---"} for word in row.split(", ")}


def test_the_table_of_settings_is_that_of_the_code() -> None:
    """Defaults, meanings and order are those of the code; run `make docs` to update the table."""
    text = sources.text(SETTINGS)

    assert rows_under("Settings", text) == [setting_line(row) for row in settings.table()]
    assert with_settings(text) == text


def test_the_table_of_settings_can_be_written_again() -> None:
    """`make docs` corrects a changed line and leaves the rest as it is."""
    text = sources.text(SETTINGS)
    changed = text.replace("| `LEASE_MS` | `300000` |", "| `LEASE_MS` | `1` |")

    assert changed != text
    assert with_settings(changed) == text


def test_the_example_of_an_environment_has_every_setting() -> None:
    """Run `make docs` to update it."""
    assert sources.text(EXAMPLE) == example()


def test_every_metric_is_documented() -> None:
    """The labels count too, and a documented metric must exist."""
    listed = first_cells([line for line in METRICS.splitlines() if line.startswith("| `xnovu_")])

    assert sorted(listed) == sorted(metric_names())


def test_every_code_is_documented() -> None:
    """If you find a code in a row or a metric, you find it in the runbook."""
    assert sorted(first_cells(rows_under("Codes", RUNBOOK))) == sorted(codes(XnovuError))


def finding_codes() -> Iterator[str]:
    """Return the codes of the doctor's findings: the first arguments of what makes them, and variables named `code`."""
    makers = {"Check", "Finding", "judge", "refused", "_of_sentence", "_examine_repeats"}
    for path in sources.python("xnovu_poller"):
        if not str(path).startswith(("xnovu_poller/doctor/", "xnovu_poller/store/checks/")):
            continue
        for node in ast.walk(ast.parse(sources.text(path))):
            match node:
                case ast.Call(func=ast.Name(id=name), args=[ast.Constant(value=str(code)), *_]) if (
                    name in makers
                ):
                    yield code
                case ast.Assign(targets=[ast.Name(id="code" | "CODE")], value=ast.Constant(value=str(code))):
                    yield code
                case ast.Assign(
                    targets=[ast.Tuple(elts=[ast.Name(id="code"), _])],
                    value=ast.Tuple(elts=[ast.Constant(value=str(code)), _]),
                ):
                    yield code
                case _:
                    pass


def test_every_finding_is_documented() -> None:
    """If the doctor prints a code, you find it in the runbook."""
    assert sorted(first_cells(rows_under("Findings", RUNBOOK))) == sorted(set(finding_codes()))


@pytest.mark.parametrize("chore", ChoreName)
def test_every_chore_is_documented(chore: str) -> None:
    """The runbook explains what each chore does."""
    assert chore in first_cells(rows_under("Chores", RUNBOOK))


def test_every_command_is_documented() -> None:
    """It is in the README, or on the page of rules or of templates."""
    assert [command for command in commands(xnovu, "xnovu") if f"`{command}" not in COMMANDS] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=str)
def test_every_printed_command_exists(path: Path) -> None:
    """You can type it as it stands: the command and each option."""
    found = [(words, [*unknown(words, xnovu)]) for words in printed(sources.text(path))]

    assert [(" ".join(words), faults) for words, faults in found if faults] == []


def test_a_printed_command_that_does_not_exist_is_reported() -> None:
    """A command, or an option; comments, other programs and placeholders pass."""
    text = "`xnovu rules mend`, `xnovu db …`\n```sh\nA=1 xnovu worker start --fast  # xnovu none\npsql | xnovu rules list --json\n```\n"

    assert [[*unknown(words, xnovu)] for words in printed(text)] == [["mend"], [], ["--fast"], []]


def test_every_word_is_in_the_glossary() -> None:
    """CONTRIBUTING.md prefers words; the glossary defines them."""
    defined = set(re.findall(r"\*\*([^*]+)\*\*", GLOSSARY))

    assert words_of(CONTRIBUTING) - defined == set()


def test_a_missing_command_would_be_seen() -> None:
    """Commands are found at any depth."""
    worker = click.Group("worker", commands={"start": click.Command("start")})
    xnovu = click.Group("xnovu", commands={"worker": worker, "dev": click.Command("dev")})

    assert list(commands(xnovu, "xnovu")) == ["xnovu worker start", "xnovu dev"]


def test_a_row_of_another_table_is_not_taken_for_a_setting() -> None:
    """A table ends where the next heading begins."""
    text = "\n## Settings\n\n| `A` | 1 |\n\n## Metrics\n\n| `b` |\n"

    assert first_cells(rows_under("Settings", text)) == ["A"]


def test_the_documents_are_compared_with_something() -> None:
    """Rules over empty lists would hold for ever."""
    assert len(settings.table()) > 30
    assert len(list(metric_names())) > 15
    assert len(list(codes(XnovuError))) > 15
    assert len(words_of(CONTRIBUTING)) > 15
