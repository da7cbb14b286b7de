"""`xnovu doctor`: the faults of the settings and the servers, and how to mend each."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import click

from xnovu_poller import log
from xnovu_poller.cli.group import EXIT_SETTINGS
from xnovu_poller.cli.output import escape_for_terminal, json_option, print_json

if TYPE_CHECKING:
    from xnovu_poller.store.checks import Finding

_SETTINGS_WRONG = "settings_wrong"


@click.command
@click.option(
    "--probe",
    is_flag=True,
    help="Also find out whether Novu drops repeats: it gets a workflow that sends nothing, for a moment.",
)
@json_option
@click.pass_context
def doctor(ctx: click.Context, *, probe: bool, as_json: bool) -> None:
    """Check settings, PostgreSQL, Temporal and Novu, and print how to mend each fault.

    It changes nothing, and needs the environment of a worker. If a server is away, the others are still examined.

    Each line is a check with the state that is expected; a fault has its code, the state that was found, and the command or
    the SQL that mends it. docs/runbook.md explains the codes.

    \b
    Example:
        xnovu doctor
        xnovu doctor --json | jq '.[] | select(.ok | not)'

    Exit codes: 0 all is as expected, 1 something is wrong, 2 the settings are wrong.
    """  # noqa: D301 - Click reads the backspace as "do not wrap this paragraph"
    # Servers and the SDK load slowly, and other commands do without them.
    from xnovu_poller.doctor.examine import examine  # noqa: PLC0415

    # The command reports failures itself.
    log.configure("error", "console")
    report = asyncio.run(examine(probe=probe))
    if as_json:
        print_json([_to_json(group, found) for group, findings in report.items() for found in findings])
    else:
        for line in _write(report):
            click.echo(line)
    wrong = {found.code for findings in report.values() for found in findings if not found.is_sound}
    ctx.exit(EXIT_SETTINGS if _SETTINGS_WRONG in wrong else int(bool(wrong)))


def _write(report: "Mapping[str, list[Finding]]") -> Iterator[str]:
    """Write a line for each check, and two more for each that has found something."""
    for group, findings in report.items():
        yield group
        for found in findings:
            mark = "ok   " if found.is_sound else "WRONG"
            yield f"  {mark}  {escape_for_terminal(_describe(found))}"
            if found.mend is not None:
                yield f"         found: {escape_for_terminal(found.actual)}"
                yield f"         mend:  {escape_for_terminal(found.mend)}"
    wrong = sum(not found.is_sound for findings in report.values() for found in findings)
    yield "All is as expected." if wrong == 0 else f"Wrong: {wrong}."


def _describe(found: "Finding") -> str:
    if not found.is_sound:
        return f"{found.expected} [{found.code}]"
    return found.expected if found.actual == "as expected" else f"{found.expected}: {found.actual}"


def _to_json(group: str, found: "Finding") -> dict[str, object]:
    return {
        "group": group,
        "check": found.code,
        "ok": found.is_sound,
        "expected": found.expected,
        "actual": found.actual,
        "mend": found.mend,
    }
