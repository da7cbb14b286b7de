"""Print tables for people and JSON for programs, in all commands."""

import json
from collections.abc import Sequence

import click

from xnovu_poller.visible import make_visible

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")

NOTHING = "-"

LONGEST_CELL, LONGEST_SENTENCE = 60, 1000
"""The most characters in a cell of a table, and in a line of its own; JSON is not cut."""


def print_json(value: object) -> None:
    """Print JSON, with the keys in the order of the handbook."""
    click.echo(make_visible(json.dumps(value, indent=2, ensure_ascii=False), "\n"))


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]], longest: int = LONGEST_CELL) -> None:
    """Print rows under a head; each column is as wide as its widest cell, and longer cells are cut."""
    lines = [head, *([escape_for_terminal(cell, longest) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        click.echo("  ".join(map(str.ljust, line, widths)).rstrip())


def escape_for_terminal(text: str, longest: int = LONGEST_SENTENCE) -> str:
    """Return a tenant's text on one line, cut, and without control characters that a terminal would obey."""
    return make_visible(text if len(text) <= longest else f"{text[:longest]}…")
