"""Write the table of settings in docs/settings.md and `.env.example` again, from the code: `make docs`."""

import sys
from pathlib import Path

from xnovu_poller import settings

ROOT = Path(__file__).parents[2]
SETTINGS = Path("docs/settings.md")
EXAMPLE = Path(".env.example")
_EXAMPLE_HEAD = """\
# Every setting with its default, for `docker compose --env-file` or systemd's EnvironmentFile. Copy this file to `.env` and
# fill it in. The worker itself reads no file: `set -a; . ./.env; set +a` sets the variables in a shell.
# Written by `make docs`.
"""
_HEAD = "| variable | default | meaning |\n| --- | --- | --- |\n"


def setting_line(row: settings.Row) -> str:
    """Return the line of a setting, as docs/settings.md prints it."""
    return f"| `{row.variable}` | `{row.default}` | {row.meaning} |"


def with_settings(text: str) -> str:
    """Return the page with its table of settings as the code defines it now."""
    before, head, rest = text.partition(_HEAD)
    _, _, after = rest.partition("\n\n")
    table = "\n".join(setting_line(row) for row in settings.table())
    return f"{before}{head}{table}\n\n{after}"


def example() -> str:
    """Return the text of `.env.example`: every setting with its default, as a comment unless it is required."""
    blocks = [_EXAMPLE_HEAD]
    for row in settings.table():
        value = row.default.replace("required", "").replace("unset", "")
        line = f"{'' if row.default == 'required' else '# '}{row.variable}={value}"
        file = f"\n# {row.file_variable}=" if row.secret else ""
        blocks.append(f"# {row.meaning}\n{line}{file}\n")
    return "\n".join(blocks)


def main() -> None:
    """Write both."""
    page = ROOT / SETTINGS
    page.write_text(with_settings(page.read_text(encoding="utf-8")), encoding="utf-8")
    (ROOT / EXAMPLE).write_text(example(), encoding="utf-8")
    sys.stdout.write(f"{SETTINGS} and {EXAMPLE} are written.\n")


if __name__ == "__main__":
    main()
