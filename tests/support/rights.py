"""Find out what a login may do, by doing it."""

import psycopg
from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from tests.support.rows import Db


def is_allowed(db: Db, statement: sql.Composed) -> bool:
    """Try a statement, and undo it."""
    try:
        with db.transaction(force_rollback=True):
            db.execute(statement)
    except (
        InsufficientPrivilege,
        psycopg.errors.ObjectNotInPrerequisiteState,
    ):  # or nobody can write the view
        return False
    return True


def names_of(db: Db, kinds: str) -> set[str]:
    """Return the names of our relations of these kinds."""
    found = db.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'notify'::regnamespace AND relkind = ANY (%s)",
        [list(kinds)],
    )
    return {relation["relname"] for relation in found}


def rights_on(db: Db, role: Db, relation: str) -> str:
    """Return the letters of what a login may do with a relation, found out by doing it."""
    name = sql.Identifier("notify", relation)
    login = role.info.user
    letters = "r" if is_allowed(role, sql.SQL("SELECT FROM {} LIMIT 1").format(name)) else ""
    assert is_allowed(role, sql.SQL("EXPLAIN SELECT * FROM {}").format(name)) is bool(letters)
    for letter, right in (("i", "INSERT"), ("u", "UPDATE")):
        found = db.execute(
            "SELECT has_any_column_privilege(%s, %s, %s) AS has", [login, f"notify.{relation}", right]
        ).fetchone()
        letters += letter if found and found["has"] else ""
    if is_allowed(role, sql.SQL("DELETE FROM {} WHERE false").format(name)):
        letters += "d"
    if any(
        is_allowed(role, sql.SQL("LOCK TABLE {} IN {} MODE").format(name, sql.SQL(mode)))
        for mode in ("ROW SHARE", "SHARE UPDATE EXCLUSIVE", "SHARE", "EXCLUSIVE", "ACCESS EXCLUSIVE")
    ):
        letters += "L"
    return letters
