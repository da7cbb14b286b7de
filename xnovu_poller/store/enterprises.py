"""Read the facts about enterprises that their texts use."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from xnovu_poller.store.engine import Engine, Tenant, query

MOST_BRAND_BYTES = 65_536
"""A larger `brand` is not read."""


@dataclass(frozen=True, slots=True)
class Enterprise:
    """The row of an enterprise; an enterprise without a row has only its id.

    Attributes:
        locale: the language of its texts; None for the default.
        time_zone: the zone of the times in its texts; None for the default.
        brand: the JSON text of values for its templates.
        version: changes with the row.
    """

    id: str
    name: str | None = None
    locale: str | None = None
    time_zone: str | None = None
    brand: str = "{}"
    version: datetime | None = None


_ENTERPRISES = text("""
    SELECT enterprise_id, name, locale, time_zone, updated_at,
        CASE WHEN octet_length(brand::text) <= :most THEN brand::text ELSE '{}' END AS brand
    FROM notify.ent_enterprise WHERE enterprise_id = ANY (CAST(:ids AS text[]))""")


async def read_enterprises(engine: Engine | Tenant, ids: Collection[str]) -> dict[str, Enterprise]:
    """Read enterprises by id; each id is in the result.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    rows = await query(engine, _ENTERPRISES, {"ids": list(ids), "most": MOST_BRAND_BYTES})
    found = {
        row.enterprise_id: Enterprise(
            row.enterprise_id, row.name, row.locale, row.time_zone, row.brand, row.updated_at
        )
        for row in rows
    }
    return {id_: found.get(id_) or Enterprise(id_) for id_ in ids}
