"""`xnovu config`: the settings as a worker would read them."""

import click

from xnovu_poller import settings
from xnovu_poller.cli.output import LONGEST_SENTENCE, json_option, print_json, print_table

_HIDDEN = "(hidden)"


@click.command
@json_option
def config(*, as_json: bool) -> None:
    """Print each setting as a worker would read it here, and where its value comes from; no secrets.

    The source is the variable that is set (the name of today, an earlier name, or a file's), or `default`.

    Exit codes: 0, or 2 if settings are wrong.
    """
    loaded, sources = settings.load(), settings.find_sources()
    rows = [
        (row.variable, _show(row, getattr(loaded, row.field)), sources[row.variable])
        for row in settings.table()
    ]
    if as_json:
        print_json([{"variable": name, "value": value, "source": source} for name, value, source in rows])
    else:
        print_table(("VARIABLE", "VALUE", "SOURCE"), rows, LONGEST_SENTENCE)
    for hint in settings.hints():
        click.echo(f"xnovu: {hint}", err=True)


def _show(row: settings.Row, value: object) -> str:
    return _HIDDEN if row.secret and value is not None else settings.show(value)
