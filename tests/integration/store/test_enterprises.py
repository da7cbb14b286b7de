"""The facts about enterprises."""

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
    assert found == {
        "acme": acme,
        "globex": Enterprise("globex", "A", "de_CH", "Europe/Zurich"),
        "zenith": Enterprise("zenith"),
    }
