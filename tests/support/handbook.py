"""Write the table of settings in docs/settings.md again, from the code: `make docs`."""

import sys
from pathlib import Path

from xnovu_poller import settings

ROOT = Path(__file__).parents[2]
SETTINGS = Path("docs/settings.md")
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


def main() -> None:
    """Write the page."""
    page = ROOT / SETTINGS
    page.write_text(with_settings(page.read_text(encoding="utf-8")), encoding="utf-8")
    sys.stdout.write(f"{SETTINGS} is written.\n")


if __name__ == "__main__":
    main()
