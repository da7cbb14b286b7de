"""The faults of a migration's SQL, as the house's rules see them: locks that last, and what the version before misses."""

import re
from collections.abc import Iterator, Sequence

CONCURRENTLY = re.compile(r"^(?:CREATE(?: UNIQUE)?|DROP) INDEX CONCURRENTLY\b")

REPEATABLE = re.compile(
    r"^(?:SET |CREATE(?: UNIQUE)? INDEX CONCURRENTLY IF NOT EXISTS|DROP INDEX CONCURRENTLY IF EXISTS)"
)

_TABLE = r"(?:IF EXISTS )?(?:ONLY )?(notify\.\w+)"
CREATED = re.compile(r"^CREATE (?:UNLOGGED )?TABLE (?:IF NOT EXISTS )?(notify\.\w+)")
LOCKED = re.compile(r"^LOCK TABLE ([\w., ]+) IN")
LOCKING = (
    re.compile(rf"^ALTER TABLE {_TABLE}"),
    re.compile(
        rf"^(?:CREATE(?: OR REPLACE)?|DROP|ALTER) (?:CONSTRAINT )?(?:TRIGGER|POLICY)\b.*? ON {_TABLE}"
    ),
    re.compile(r"^CREATE TABLE .*?\bREFERENCES (notify\.\w+)"),
)
"""Statements that stop the writers of a table."""

ON_A_TABLE: Sequence[tuple[str, re.Pattern[str]]] = (
    ("an index without CONCURRENTLY", re.compile(rf"^CREATE(?: UNIQUE)? INDEX (?!CONCURRENTLY).*? ON {_TABLE}")),
    ("rows are written", re.compile(rf"^(?:UPDATE|DELETE FROM|TRUNCATE(?: TABLE)?) {_TABLE}")),
    ("a constraint without NOT VALID", re.compile(
        rf"^ALTER TABLE {_TABLE}(?!.*NOT VALID).* ADD (?:CONSTRAINT \w+ )?(?:CHECK|FOREIGN KEY)\b")),
    ("a constraint without USING INDEX", re.compile(
        rf"^ALTER TABLE {_TABLE}(?!.*USING INDEX).* ADD (?:CONSTRAINT \w+ )?(?:UNIQUE|PRIMARY KEY|EXCLUDE)\b")),
    ("a constraint in ADD COLUMN", re.compile(
        rf"^ALTER TABLE {_TABLE}.* ADD COLUMN [^,]*?\b(?:CHECK|REFERENCES|UNIQUE|PRIMARY KEY)\b")),
    ("NOT NULL without a default", re.compile(rf"^ALTER TABLE {_TABLE}.* ADD COLUMN (?![^,]*\bDEFAULT\b)[^,]*\bNOT NULL\b")),
    ("a default for each row", re.compile(
        rf"^ALTER TABLE {_TABLE}.* ADD COLUMN [^,]*\b(?:\w*random\w*|clock_timestamp|nextval|GENERATED|(?:BIG|SMALL)?SERIAL)\b",
        re.IGNORECASE)),
    ("every row is written anew", re.compile(
        rf"^ALTER TABLE {_TABLE}.* (?:TYPE|SET DATA TYPE|SET TABLESPACE|SET (?:UN)?LOGGED|SET ACCESS METHOD)\b")),
    ("every row is read", re.compile(rf"^ALTER TABLE {_TABLE}.* SET NOT NULL\b")),
    ("the version before misses it", re.compile(rf"^ALTER TABLE {_TABLE}.* (?:RENAME|DROP (?!CONSTRAINT|DEFAULT|NOT NULL))")),
)  # fmt: skip
"""Statements that are faults if the table is not created by the same revision."""

ANYWHERE: Sequence[tuple[str, re.Pattern[str]]] = (
    ("the version before misses it", re.compile(r"^DROP (?:TABLE|VIEW|FUNCTION|TYPE|DOMAIN|SEQUENCE|SCHEMA)\b")),
    ("the version before misses it", re.compile(r"^ALTER (?:VIEW|FUNCTION|TYPE|DOMAIN|SEQUENCE)\b.* RENAME\b")),
    ("a lock on the table", re.compile(r"^(?:DROP INDEX (?!CONCURRENTLY)|CLUSTER|VACUUM FULL|REINDEX (?!.*CONCURRENTLY)|REFRESH)")),
)  # fmt: skip
"""Statements that are faults wherever they stand."""

LONGEST_WAIT_MS = 1500


def statements(sql: str) -> list[str]:
    """Return the statements of a file, each on one line, without comments and the texts in quotes."""
    bare = re.sub(
        r"--[^\n]*|(\$\w*\$).*?\1|'(?:[^']|'')*'",
        lambda found: "" if found[0][0] == "-" else "''",
        sql,
        flags=re.DOTALL,
    )
    return [" ".join(statement.split()) for statement in bare.split(";") if statement.strip()]


def faults(files: Sequence[str]) -> Iterator[str]:
    """Yield the faults of a revision, given its files in order."""
    parts = [statements(sql) for sql in files]
    every = [statement for part in parts for statement in part]
    made = {found[1] for statement in every if (found := CREATED.match(statement))}
    yield from _faults_of_builds(parts)
    yield from _faults_of_waits(files)
    yield from _unlocked(every, made)
    for statement in every:
        yield from (f"{fault}: {statement}" for fault, form in ANYWHERE if form.match(statement))
        for fault, form in ON_A_TABLE:
            if (found := form.match(statement)) and found[1] not in made:
                yield f"{fault}: {statement}"
    if any("NOT VALID" in statement for statement in every):
        yield from (f"validated under the lock: {each}" for each in every if " VALIDATE CONSTRAINT " in each)


def _faults_of_builds(parts: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield what an interruption would leave half done."""
    builds = [any(CONCURRENTLY.match(statement) for statement in part) for part in parts]
    if builds != sorted(builds, reverse=True):
        yield "a file with CONCURRENTLY is not the first"
    for part, is_build in zip(parts, builds, strict=True):
        if is_build:
            yield from (f"cannot be repeated: {each}" for each in part if not REPEATABLE.match(each))


def _faults_of_waits(files: Sequence[str]) -> Iterator[str]:
    """Yield waits for a lock that are longer than a writer should wait."""
    for sql in files:
        if "LOCK TABLE" in sql and not re.search(r"^SET LOCAL lock_timeout = '\d+ms';", sql, re.MULTILINE):
            yield "LOCK TABLE without SET LOCAL lock_timeout"
        for wait in re.findall(r"^SET LOCAL lock_timeout = '(\d+)ms';", sql, re.MULTILINE):
            if int(wait) > LONGEST_WAIT_MS:
                yield f"a wait of {wait} ms"


def _unlocked(every: Sequence[str], made: set[str]) -> Iterator[str]:
    """Yield statements whose table is not locked at the beginning, so that the plan does not name the lock."""
    locked = set(made)
    for statement in every:
        if found := LOCKED.match(statement):
            locked |= {table.strip() for table in found[1].split(",")}
        for form in LOCKING:
            if (found := form.match(statement)) and found[1] not in locked:
                yield f"no LOCK TABLE for it: {statement}"
