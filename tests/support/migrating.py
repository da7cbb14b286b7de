"""Run the migrations as the program does, and read the resulting schema from PostgreSQL."""

from tests.support.rows import open_db, sqlalchemy_url
from xnovu_poller.store import schema

VERSION_BEFORE = "0011_checks"
"""The newest revision of the version before, whose workers go on beside this version; a release moves this line."""

OBJECTS = """
    SELECT 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) AS description
    FROM pg_constraint WHERE connamespace = 'notify'::regnamespace AND conrelid <> 0
        AND contype NOT IN ('n', 't') AND conrelid::regclass::text <> 'notify.alembic_version'
    UNION ALL
    SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = 'notify' AND tablename <> 'alembic_version'
    UNION ALL
    SELECT concat_ws(' ', 'column', attrelid::regclass, attname, format_type(atttypid, atttypmod),
        CASE WHEN attnotnull THEN 'NOT NULL' END, attidentity,
        (SELECT collname FROM pg_collation k WHERE k.oid = attcollation), pg_get_expr(d.adbin, d.adrelid))
    FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid LEFT JOIN pg_attrdef d ON (adrelid, adnum) = (c.oid, attnum)
    WHERE relnamespace = 'notify'::regnamespace AND relkind = 'r' AND attnum > 0 AND relname <> 'alembic_version'
        AND NOT attisdropped
    UNION ALL
    SELECT concat_ws(' ', 'domain', contypid::regtype, format_type(t.typbasetype, NULL), conname,
        replace(pg_get_constraintdef(k.oid), ' NOT VALID', ''))
    FROM pg_constraint k JOIN pg_type t ON t.oid = contypid WHERE connamespace = 'notify'::regnamespace
    UNION ALL
    SELECT concat_ws(' ', 'type', enumtypid::regtype, string_agg(enumlabel, ',' ORDER BY enumsortorder))
    FROM pg_enum GROUP BY enumtypid
"""


def objects(url: str) -> set[str]:
    """Return the parts of all tables, as PostgreSQL describes them."""
    with open_db(url) as db:
        return {found["description"] for found in db.execute(OBJECTS.encode())}


COMMENTS = """
    SELECT 'relation ' || relname AS name, obj_description(oid, 'pg_class') AS comment
    FROM pg_class WHERE relnamespace = 'notify'::regnamespace AND (relkind IN ('r', 'v') OR relname ~ '^last_.*_ms$')
    UNION ALL
    SELECT 'column ' || relname || '.' || attname, col_description(attrelid, attnum)
    FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid
    WHERE relnamespace = 'notify'::regnamespace AND relkind IN ('r', 'v') AND attnum > 0 AND NOT attisdropped
        AND relname <> 'alembic_version'
    UNION ALL
    SELECT 'type ' || typname, obj_description(oid, 'pg_type')
    FROM pg_type WHERE typnamespace = 'notify'::regnamespace AND typtype IN ('e', 'd')
    UNION ALL
    SELECT 'function ' || proname, obj_description(oid, 'pg_proc')
    FROM pg_proc WHERE pronamespace = 'notify'::regnamespace
"""


def comments(url: str) -> dict[str, str | None]:
    """Return the comment of every object that must have a comment."""
    with open_db(url) as db:
        return {found["name"]: found["comment"] for found in db.execute(COMMENTS.encode())}


def schemas(url: str) -> list[str]:
    """Return the schemas of a database, except PostgreSQL's own."""
    with open_db(url) as db:
        found = db.execute("SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_|^information_schema$'")
        return sorted(schema_row["nspname"] for schema_row in found)


def roles(url: str) -> list[str]:
    """Return those of our roles that exist."""
    with open_db(url) as db:
        found = db.execute(
            "SELECT rolname FROM pg_roles"
            " WHERE rolname IN ('xnovu_api', 'xnovu_producer', 'xnovu_reader', 'xnovu_tenant', 'xnovu_worker')"
        )
        return sorted(role["rolname"] for role in found)


def upgrade(url: str, revision: str = "head") -> None:
    """Upgrade as the program does."""
    schema.upgrade(sqlalchemy_url(url), revision)


def downgrade(url: str, revision: str = "base") -> None:
    """Downgrade as the program does."""
    schema.downgrade(sqlalchemy_url(url), revision)
