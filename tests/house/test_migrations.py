"""The SQL files of the migrations are readable, and a revision runs each of them."""

from pathlib import Path

import pytest
from alembic.script import Script, ScriptDirectory

from tests.house import sources
from tests.house.migrating import faults
from tests.support.migrating import VERSION_BEFORE

FILES = [path for path in sources.files() if path.parent == Path("migrations/sql")]
REVISIONS = "".join(
    sources.text(path) for path in sources.python("migrations") if path.parent.name == "versions"
)

# Not the session's path: objects in `public`, where anybody may create, must not shadow PostgreSQL's own names.
FIXED_PATH = "SET search_path = pg_catalog, pg_temp;"


def begins_well(source: str) -> bool:
    """Return whether a file begins with two or three lines of purpose and the fixed search path."""
    lines = source.splitlines()
    purpose = next((number for number, line in enumerate(lines) if not line.startswith("-- ")), len(lines))
    return 2 <= purpose <= 4 and lines[purpose : purpose + 1] == [FIXED_PATH]


def test_a_file_begins_with_its_purpose() -> None:
    """It also means the same under every search path."""
    assert [path.name for path in FILES if not begins_well(sources.text(path))] == []


def test_a_revision_runs_each_file() -> None:
    """A file that nothing runs would look like a part of the schema."""
    assert [path.name for path in FILES if f'"{path.name}"' not in REVISIONS] == []


def after_the_version_before() -> list[Script]:
    """Return the revisions of this version, the oldest first."""
    scripts = [*ScriptDirectory(str(sources.ROOT / "migrations")).walk_revisions()][::-1]
    names = [script.revision for script in scripts]
    return scripts[names.index(VERSION_BEFORE) + 1 :]


def test_the_version_before_works_with_each_new_revision() -> None:
    """Each writes so into the database, where the workers of that version read it."""
    written = {
        script.revision: getattr(script.module, "compatible_from", None)
        for script in after_the_version_before()
    }

    assert written == dict.fromkeys(written, VERSION_BEFORE)


def test_no_revision_makes_writers_wait_or_takes_from_the_version_before() -> None:
    """The rules are those that CONTRIBUTING.md explains; the locks are measured in tests/integration/store/test_plan.py."""
    found = {
        script.revision: [*faults([sources.text(Path("migrations/sql", name)) for name in script.module.UP])]
        for script in after_the_version_before()
    }

    assert {revision: wrong for revision, wrong in found.items() if wrong} == {}


LOCK = "SET LOCAL lock_timeout = '900ms';\nLOCK TABLE notify.a IN ACCESS EXCLUSIVE MODE;\n"
GOOD = """CREATE TABLE notify.new (id bigint PRIMARY KEY, at timestamptz NOT NULL CHECK (id > 0));
CREATE INDEX new_at ON notify.new (at); UPDATE notify.new SET id = 1;
ALTER TABLE notify.a ADD COLUMN b text, ADD COLUMN c int DEFAULT 0 NOT NULL;
ALTER TABLE notify.a ADD CONSTRAINT a_b CHECK (b <> '') NOT VALID;
CREATE OR REPLACE TRIGGER t BEFORE INSERT ON notify.a FOR EACH ROW EXECUTE FUNCTION notify.f();
CREATE OR REPLACE FUNCTION notify.f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM notify.a; END $$;
COMMENT ON TABLE notify.new IS 'DROP TABLE notify.a; -- no';"""
BUILD = "CREATE INDEX CONCURRENTLY IF NOT EXISTS a_b ON notify.a (b);"


def test_a_good_revision_passes() -> None:
    """A new table may have all that a table with rows may not get."""
    assert list(faults([BUILD, LOCK + GOOD])) == []


@pytest.mark.parametrize(
    ("fault", "sql"),
    [
        ("an index without CONCURRENTLY", "CREATE UNIQUE INDEX a_b ON notify.a (b)"),
        ("a lock on the table", "DROP INDEX notify.a_b"),
        ("a lock on the table", "VACUUM FULL notify.a"),
        ("rows are written", "UPDATE notify.a SET b = ''"),
        ("rows are written", "DELETE FROM notify.a"),
        ("a constraint without NOT VALID", "ALTER TABLE notify.a ADD CONSTRAINT c CHECK (b > 0)"),
        ("a constraint without NOT VALID", "ALTER TABLE notify.a ADD FOREIGN KEY (b) REFERENCES notify.b"),
        ("a constraint without USING INDEX", "ALTER TABLE notify.a ADD CONSTRAINT c UNIQUE (b)"),
        ("a constraint in ADD COLUMN", "ALTER TABLE notify.a ADD COLUMN b int CHECK (b > 0)"),
        ("a constraint in ADD COLUMN", "ALTER TABLE notify.a\n    ADD COLUMN c int,\n    ADD COLUMN b int REFERENCES notify.b"),
        ("NOT NULL without a default", "ALTER TABLE notify.a ADD COLUMN b int NOT NULL"),
        ("a default for each row", "ALTER TABLE notify.a ADD COLUMN b uuid DEFAULT gen_random_uuid()"),
        ("a default for each row", "ALTER TABLE notify.a ADD COLUMN b bigserial"),
        ("every row is written anew", "ALTER TABLE notify.a ALTER COLUMN b TYPE bigint"),
        ("every row is read", "ALTER TABLE notify.a ALTER COLUMN b SET NOT NULL"),
        ("the version before misses it", "ALTER TABLE notify.a DROP COLUMN b"),
        ("the version before misses it", "ALTER TABLE notify.a RENAME COLUMN b TO c"),
        ("the version before misses it", "DROP FUNCTION notify.f"),
        ("the version before misses it", "ALTER FUNCTION notify.f RENAME TO g"),
        ("no LOCK TABLE for it", "ALTER TABLE notify.b ADD COLUMN b int"),
        ("no LOCK TABLE for it", "CREATE TRIGGER t BEFORE INSERT ON notify.b FOR EACH ROW EXECUTE FUNCTION notify.f()"),
        ("no LOCK TABLE for it", "CREATE TABLE notify.c (b int REFERENCES notify.b)"),
    ],
)  # fmt: skip
def test_a_statement_that_locks_or_takes_away_is_reported(fault: str, sql: str) -> None:
    """It is the only fault of its revision."""
    assert [found.partition(":")[0] for found in faults([f"{LOCK}{sql};"])] == [fault]


def test_a_wait_or_a_build_at_the_wrong_place_is_reported() -> None:
    """Writers would wait too long, or an interruption would leave a revision that cannot run again."""
    late = ["a file with CONCURRENTLY is not the first"]
    validated = (
        "ALTER TABLE notify.a ADD CHECK (b > 0) NOT VALID; ALTER TABLE notify.a VALIDATE CONSTRAINT c;"
    )

    assert list(faults([LOCK, BUILD])) == late
    assert list(faults([BUILD.replace("IF NOT EXISTS ", "")])) != []
    assert list(faults([f"{BUILD}\nSELECT 1;"])) == ["cannot be repeated: SELECT 1"]
    assert list(faults([LOCK.replace("900", "9000")])) == ["a wait of 9000 ms"]
    assert list(faults([LOCK.splitlines()[1]])) == ["LOCK TABLE without SET LOCAL lock_timeout"]
    assert list(faults([LOCK + validated])) == [
        "validated under the lock: ALTER TABLE notify.a VALIDATE CONSTRAINT c"
    ]


def test_a_file_without_purpose_or_path_is_reported() -> None:
    """Each of the two is required."""
    assert not begins_well(f"{FIXED_PATH}\nSELECT 1;")
    assert not begins_well("-- Why.\n-- And how.\nSELECT 1;")
    assert begins_well(f"-- Why.\n-- And how.\n{FIXED_PATH}\nSELECT 1;")
