"""The SQL of the store as files, so that you can read its changes in a diff: `python -m tests.support.snapshots`."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

from sqlalchemy import TextClause

from xnovu_poller import store
from xnovu_poller.store.notifications import by_chunk, by_claim, by_hold, by_operator, hold
from xnovu_poller.store.notifications.claim_sql import claim_sql
from xnovu_poller.store.notifications.due import FAILED, NEW, SCHEDULED
from xnovu_poller.store.notifications.round_sql import EnterpriseScope

FOLDER = Path(__file__).resolve().parents[1] / "unit" / "store" / "sql"
LIMIT = 100

ARROWS: dict[str, TextClause] = {
    name.removeprefix("_").lower(): statement
    for module in (by_chunk, by_hold, by_claim, by_operator, hold)
    for name, statement in vars(module).items()
    if isinstance(statement, TextClause)
}
"""The statements of the arrows, by name."""


def statements() -> dict[str, str]:
    """Return every statement of the store by module and name: those that stand in a module, and the claims."""
    found = {
        f"notifications.claim_sql.{due.name}.{scope.value}{'.switched' * switched}": claim_sql(
            due, LIMIT, scope, switched=switched
        ).text
        for due in (NEW, SCHEDULED, FAILED)
        for scope in EnterpriseScope
        for switched in (False, True)
    }
    seen: set[int] = set()
    for module in sorted(info.name for info in walk_packages(store.__path__, f"{store.__name__}.")):
        for name, value in vars(import_module(module)).items():
            for key, statement in _parts(value):
                if id(statement) not in seen:
                    seen.add(id(statement))
                    found[_name(module, name, key)] = statement.text
    return found


def wanted() -> dict[Path, str]:
    """Return the required content of each file: of each statement that its module composes of parts.

    A statement that stands whole in its module needs no copy: its diff is in the module.
    """
    sources = [path.read_text() for path in Path(store.__path__[0]).rglob("*.py")]
    return {
        FOLDER / f"{name}.sql": sql.strip() + "\n"
        for name, sql in statements().items()
        if not any(sql in source for source in sources)
    }


def _parts(value: object) -> Iterator[tuple[str, TextClause]]:
    """Yield the statements in a value of a module: the value itself, or its parts."""
    held: Iterator[tuple[object, object]]
    if isinstance(value, Mapping):
        held = iter(value.items())
    elif isinstance(value, (tuple, list)):
        held = iter(enumerate(value))
    else:
        held = iter([("", value)])
    yield from ((str(key), part) for key, part in held if isinstance(part, TextClause))


def _name(module: str, name: str, key: str) -> str:
    words = [module.removeprefix(f"{store.__name__}."), name.strip("_").lower(), key]
    return ".".join(word for word in words if word)


if __name__ == "__main__":
    for left_over in set(FOLDER.iterdir()) - set(wanted()):
        left_over.unlink()
    for path, sql in wanted().items():
        path.write_text(sql)
