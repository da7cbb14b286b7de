"""The SQL of the claims and the arrows as files, so that a change of it is a readable diff: `make snapshots`."""

from pathlib import Path

from sqlalchemy import TextClause

from xnovu_poller.store.notifications import by_chunk, by_claim, by_hold, by_operator, hold
from xnovu_poller.store.notifications.due import FAILED, NEW, SCHEDULED, EnterpriseScope, claim_sql

FOLDER = Path(__file__).resolve().parents[1] / "unit" / "store" / "sql"
LIMIT = 100

ARROWS: dict[str, TextClause] = {
    name.removeprefix("_").lower(): statement
    for module in (by_chunk, by_hold, by_claim, by_operator, hold)
    for name, statement in vars(module).items()
    if isinstance(statement, TextClause)
}
"""All statements of the arrows, by name."""


def wanted() -> dict[Path, str]:
    """Return what each file must hold."""
    claims = {due.name: claim_sql(due, LIMIT, EnterpriseScope.ALL) for due in (NEW, SCHEDULED, FAILED)}
    return {FOLDER / f"{name}.sql": statement.text + "\n" for name, statement in (claims | ARROWS).items()}


if __name__ == "__main__":
    for path, text in wanted().items():
        path.write_text(text)
