"""Show the faults of files as compilers do: file, line, column, the line itself, and a mark under the place."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import click
from rich.cells import cell_len

from xnovu_poller.cli.output import escape_for_terminal, print_json

_WIDTH = 100
"""The most characters of a line that is shown; a template may have a single line."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault in a file, or a warning.

    Attributes:
        line, column: the place, from 1.
        reason: the fact, and what to write instead.
        text: the whole line.
    """

    file: str
    line: int
    column: int
    reason: str
    text: str
    is_warning: bool = False


class FileInvalid(Exception):
    """A file cannot be read as what it should be."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.reason)
        self.finding = finding


def find(file: str, text: str, line: int, column: int, reason: str, *, is_warning: bool = False) -> Finding:
    """Return a finding in a text; a place behind the end is moved to the end."""
    lines = text.split("\n")
    line = min(line, len(lines))
    shown = lines[line - 1].removesuffix("\r")
    return Finding(file, line, min(column, len(shown) + 1), reason, shown, is_warning)


def print_findings(findings: Sequence[Finding], *, as_json: bool, **more: Any) -> None:  # noqa: ANN401 - JSON
    """Print findings for people, or all as JSON with further members."""
    if as_json:
        print_json({**more, "findings": [asdict(finding) for finding in findings]})
        return
    for finding in findings:
        click.echo(show(finding))


def show(finding: Finding) -> str:
    """Return a finding in three lines, without control characters that a terminal would obey."""
    kind = "warning" if finding.is_warning else "error"
    place = f"{finding.file}:{finding.line}:{finding.column}"
    before, after = _cut(finding.text, finding.column - 1)
    return (
        f"{escape_for_terminal(place)}: {kind}: {escape_for_terminal(finding.reason)}\n"
        f"{finding.line:>5} | {before}{after}".rstrip()
        + f"\n      | {' ' * cell_len(before)}^"
    )


def _cut(text: str, at: int) -> tuple[str, str]:
    """Return the shown part of a line before and after a place; each character stays one."""
    start = max(0, at - _WIDTH // 2)
    before, after = text[start:at], text[at : start + _WIDTH]
    if start > 0:
        before = "…" + before[1:]
    if start + _WIDTH < len(text):
        after = after[:-1] + "…"
    return _clean(before), _clean(after)


def _clean(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " if letter == "\t" else "\ufffd" for letter in text)


_MISSING = re.compile(r"(\S+) is missing;")
_CONSTRUCT = re.compile(r"\$\{|<%|^\s*(%)")


def guess_column(line: str, reason: str) -> int:
    """Return where in a line a failure may be that has only a line: the path that is missing, or the first construct."""
    missing = _MISSING.match(reason)
    if missing is not None and missing[1] in line:
        return line.index(missing[1]) + 1
    construct = _CONSTRUCT.search(line)
    return 1 if construct is None else construct.start(construct.lastindex or 0) + 1
