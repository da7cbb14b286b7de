"""The SQL of the claims as files, so that a change of it is a readable diff: `python -m tests.support.snapshots`."""

from pathlib import Path

from xnovu_poller.store.notifications.due import FAILED, NEW, SCHEDULED, EnterpriseScope, claim_sql

FOLDER = Path(__file__).resolve().parents[1] / "unit" / "store" / "sql"
LIMIT = 100


def wanted() -> dict[Path, str]:
    """Give what each file has to hold."""
    return {
        FOLDER / f"{due.name}.sql": claim_sql(due, LIMIT, EnterpriseScope.ALL).text + "\n"
        for due in (NEW, SCHEDULED, FAILED)
    }


if __name__ == "__main__":
    for path, told in wanted().items():
        path.write_text(told)
