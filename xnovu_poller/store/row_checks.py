"""Find the published templates and workflows that have to be checked, and record the results."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import text

from xnovu_poller.lifecycle import Channel, CheckedStatus, RowKind
from xnovu_poller.store.engine import Engine, acquire
from xnovu_poller.store.templates import TemplateKey

ROWS_OF_A_TURN = 100
"""The most rows that are found together, of an enterprise a fifth of them."""

COUNTED_AT_MOST = 10_000

UNFINISHED = "payload_schema: its check has not ended; if this stays, it ends the process that compiles it, so simplify it"
"""The error of a row while its schema is compiled for the first time. A row that still has it is not checked again until it
changes, because a schema may kill each process that compiles it."""

_TABLES = {
    RowKind.TEMPLATE: "notify.ent_notification_template",
    RowKind.WORKFLOW: "notify.ent_notification_workflow",
}

# The condition of the index, word by word.
_UNSETTLED = "r.publish_status = 'PUBLISH' AND NOT r.deactivated AND r.checked_status IS DISTINCT FROM 'OK'"

_FIND_UNSETTLED = {
    kind: text(f"""
    WITH RECURSIVE owner AS (
        -- The enterprises that have such rows, one index entry each; the empty name is for all enterprises.
        (SELECT coalesce(r.enterprise_id, '') AS name FROM {table} r
        WHERE {_UNSETTLED} ORDER BY coalesce(r.enterprise_id, '') USING ~<~ LIMIT 1)
        UNION ALL
        SELECT (SELECT coalesce(r.enterprise_id, '') FROM {table} r
            WHERE {_UNSETTLED} AND coalesce(r.enterprise_id, '') ~>~ owner.name
            ORDER BY coalesce(r.enterprise_id, '') USING ~<~ LIMIT 1)
        FROM owner WHERE owner.name IS NOT NULL
    )
    SELECT due.id
    FROM owner CROSS JOIN LATERAL (
        -- The first of an enterprise.
        SELECT r.id, row_number() OVER (ORDER BY r.id) AS place FROM {table} r
        WHERE coalesce(r.enterprise_id, '') = owner.name AND {_UNSETTLED}
            AND (r.checked_status IS NULL OR NOT :unchecked AND r.checked_error <> '{UNFINISHED}') AND r.id <> ALL (CAST(:without AS bigint[]))
        ORDER BY r.id LIMIT {ROWS_OF_A_TURN // 5}
    ) AS due
    ORDER BY due.place, md5(owner.name || CAST(:turn AS text)) LIMIT {ROWS_OF_A_TURN}""")  # noqa: S608 - of constants
    for kind, table in _TABLES.items()
}


async def find_unsettled(
    engine: Engine, kind: RowKind, *, unchecked: bool, without: Collection[int], turn: int
) -> list[int]:
    """Find published rows whose last check was not OK, or that were not checked since they changed, enterprises in turn.

    Args:
        unchecked: only those that were not checked.
        without: rows that are left out.
        turn: enterprises have another order at each, so that none is always the last.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    values = {"unchecked": unchecked, "without": list(without), "turn": turn}
    async with acquire(engine) as connection:
        return list(await connection.scalars(_FIND_UNSETTLED[kind], values))


_FIND_NEXT = {
    kind: text(f"""
    SELECT r.id FROM {table} r
    WHERE r.id > :after AND r.publish_status = 'PUBLISH' AND NOT r.deactivated
        AND (r.checked_status = 'OK' OR r.checked_error <> '{UNFINISHED}')
    ORDER BY r.id LIMIT {ROWS_OF_A_TURN}""")  # noqa: S608 - of constants
    for kind, table in _TABLES.items()
}


async def find_next(engine: Engine, kind: RowKind, after: int) -> list[int]:
    """Find the published rows that were checked since they changed and that follow an id, by id.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        return list(await connection.scalars(_FIND_NEXT[kind], {"after": after}))


class TemplateToCheck(NamedTuple):
    """A template; `wanted` chooses it, and what it uses, as its enterprise sees them. The empty enterprise has global rows."""

    id: int
    at: datetime
    wanted: TemplateKey


_READ_TEMPLATES = text("""
    SELECT id, updated_at, coalesce(enterprise_id, '') AS owner, template_key, channel_type::text AS channel,
        coalesce(locale, '') AS locale
    FROM notify.ent_notification_template WHERE id = ANY (CAST(:ids AS bigint[]))""")


async def read_templates_to_check(engine: Engine, ids: Collection[int]) -> list[TemplateToCheck]:
    """Read what templates are; leave out ids that do not exist any more.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        return [
            TemplateToCheck(
                row.id,
                row.updated_at,
                TemplateKey(row.owner, row.template_key, Channel(row.channel), row.locale),
            )
            for row in await connection.execute(_READ_TEMPLATES, {"ids": list(ids)})
        ]


@dataclass(frozen=True, slots=True)
class RowCheck:
    """The result of the check of a row.

    Attributes:
        at: the version of the row that was checked.
        error: the fault or the warning, in a sentence; None if the status is OK.
    """

    id: int
    at: datetime
    status: CheckedStatus
    error: str | None = None


_BEGIN = text(f"""
    WITH unchecked AS MATERIALIZED (
        -- The row, locked, if its schema was not compiled since it changed.
        SELECT r.id FROM notify.ent_notification_workflow r
        WHERE r.id = :id AND r.checked_status IS NULL AND r.payload_schema IS NOT NULL
        FOR NO KEY UPDATE OF r SKIP LOCKED
    )
    UPDATE notify.ent_notification_workflow AS r SET checked_status = 'ERROR', checked_error = '{UNFINISHED}'
    FROM unchecked WHERE r.id = unchecked.id""")  # noqa: S608 - of constants


async def begin(engine: Engine, id_: int) -> None:
    """Record that the check of a workflow has begun, in case its schema kills the process.

    Raises:
        StoreUnavailable: nothing may have been written.
    """
    async with acquire(engine) as connection:
        await connection.execute(_BEGIN, {"id": id_})


_RECORD = {
    kind: text(f"""
    WITH result AS (
        -- The result of each check.
        SELECT id, at, status, error
        FROM unnest(CAST(:ids AS bigint[]), CAST(:ats AS timestamptz[]), CAST(:statuses AS text[]), CAST(:errors AS text[]))
            AS result (id, at, status, error)
    ), changed AS MATERIALIZED (
        -- The rows that are as they were read, and whose result differs, locked; those that somebody holds come again.
        SELECT r.id, result.status, result.error
        FROM {table} r JOIN result ON result.id = r.id AND result.at = r.updated_at
        WHERE (r.checked_status, r.checked_error) IS DISTINCT FROM (result.status, result.error)
        ORDER BY r.id
        FOR NO KEY UPDATE OF r SKIP LOCKED
    )
    UPDATE {table} AS r SET checked_status = changed.status, checked_error = changed.error
    FROM changed WHERE r.id = changed.id""")  # noqa: S608 - of constants
    for kind, table in _TABLES.items()
}


async def record(engine: Engine, kind: RowKind, results: Sequence[RowCheck]) -> None:
    """Record results. A row that has changed since it was read, or that somebody holds, is left as it is.

    Raises:
        StoreUnavailable: nothing may have been written.
    """
    values = {
        "ids": [result.id for result in results],
        "ats": [result.at for result in results],
        "statuses": [result.status.value for result in results],
        "errors": [result.error for result in results],
    }
    async with acquire(engine) as connection:
        await connection.execute(_RECORD[kind], values)


_COUNT_ERRORS = {
    kind: text(f"""
    SELECT count(*) FROM (
        SELECT FROM {table} r WHERE {_UNSETTLED} AND r.checked_status = 'ERROR' LIMIT {COUNTED_AT_MOST}
    ) AS found""")  # noqa: S608 - of constants
    for kind, table in _TABLES.items()
}


async def count_errors(engine: Engine) -> dict[RowKind, int]:
    """Count the published rows in which a check has found an error, up to `COUNTED_AT_MOST` of each kind.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        return {kind: await connection.scalar(statement) for kind, statement in _COUNT_ERRORS.items()}
