"""The facts about enterprises."""

from dataclasses import replace

from tests.support.rows import Db
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.enterprises import MOST_BRAND_BYTES, Enterprise, read_enterprises


async def test_an_enterprise_without_a_row_has_only_its_id(engine: Engine, db: Db) -> None:
    """A brand that is too large is not read."""
    insert = (
        "INSERT INTO notify.ent_enterprise (enterprise_id, name, locale, time_zone, brand)"
        " VALUES (%s, 'A', 'de_CH', 'Europe/Zurich', jsonb_build_object('n', repeat('x', %s)))"
    )
    db.execute(insert.encode(), ["acme", 1])
    db.execute(insert.encode(), ["globex", MOST_BRAND_BYTES])

    found = await read_enterprises(engine, {"acme", "globex", "zenith"})

    acme = Enterprise("acme", "A", "de_CH", "Europe/Zurich", '{"n": "x"}')
    versions = {id_: enterprise.version for id_, enterprise in found.items()}
    assert [name for name, version in versions.items() if version is None] == ["zenith"]
    assert {id_: replace(enterprise, version=None) for id_, enterprise in found.items()} == {
        "acme": acme,
        "globex": Enterprise("globex", "A", "de_CH", "Europe/Zurich"),
        "zenith": Enterprise("zenith"),
    }
