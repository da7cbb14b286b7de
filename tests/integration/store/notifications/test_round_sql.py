"""Claims go round the logins, so one login that names many enterprises does not make those of the others wait."""

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from psycopg import sql
from psycopg.errors import CheckViolation, InsufficientPrivilege

from tests.support.claiming import WIDE
from tests.support.logins import a_login, bind, name_of, speak_for, without_login
from tests.support.rows import Db, a_notification, a_workflow, open_db, row, unguarded, written
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications.claim import Cursor, Terms, claim
from xnovu_poller.store.notifications.due import FAILED, NEW, SCHEDULED, Due

TERMS = Terms(prefix="abc", batch=20, group_size=1, max_in_flight=10_000, lease=timedelta(seconds=30))
ARRIVALS = {
    "new": "'PENDING', NULL, NULL",
    "scheduled": "'PENDING', now(), NULL",
    "failed": "'FAILED', NULL, now()",
}
"""The status and the times of a due row, by loop."""


def written_by(db: Db, login: str, enterprises: Iterable[str], loop: str = "new") -> None:
    """Insert a due row of each enterprise as a login would."""
    with unguarded(db):
        db.execute(
            sql.SQL("""
                INSERT INTO notify.ent_notification (created_by, enterprise_id, name, recipients, notification_status,
                    scheduled_for, next_attempt_at)
                SELECT %s, enterprise_id, 'n', '{{s}}', {} FROM unnest(%s::text[]) AS ring (enterprise_id)
            """).format(sql.SQL(ARRIVALS[loop])),
            [login, list(enterprises)],
        )


def ring(count: int) -> list[str]:
    """Return the names of many enterprises."""
    return [f"ring-{number}" for number in range(count)]


@pytest.mark.parametrize("due", [NEW, SCHEDULED, FAILED], ids=lambda due: due.name)
async def test_a_row_beside_a_ring_is_in_the_next_claim(engine: Engine, db: Db, due: Due) -> None:
    """At each of five claims, although the ring has more enterprises than all of them take."""
    written_by(db, "application", ring(200), due.name)
    cursor, taken = WIDE, list[set[str]]()
    for _ in range(5):
        written_by(db, "another", ["acme"], due.name)
        claims, cursor = await claim(engine, due, TERMS, cursor)
        taken.append({claimed.enterprise_id for claimed in claims})

    assert [len(enterprises) for enterprises in taken] == [20] * 5
    assert all("acme" in enterprises for enterprises in taken)


async def test_a_ring_that_is_written_before_a_memory_ends_hides_nobody_afterwards(
    engine: Engine, db: Db
) -> None:
    """The memory sees the first newcomer between two enterprises; the next full look goes round the logins again."""
    written_by(db, "application", ["m"] * 100)
    _, cursor = await claim(engine, NEW, TERMS, WIDE)
    written_by(db, "application", ring(200))
    written_by(db, "another", ["ring-z"])
    assert cursor.memory is not None

    claims, _ = await claim(engine, NEW, TERMS, replace(cursor, memory=replace(cursor.memory, until=0.0)))

    assert "ring-z" in {claimed.enterprise_id for claimed in claims}


async def test_an_enterprise_of_two_logins_is_served_once_in_a_claim(engine: Engine, db: Db) -> None:
    """Its share is not larger for that."""
    for login in ("a", "b"):
        written_by(db, login, ["acme"] * 20)
    written_by(db, "c", ["globex"] * 20)

    claims, _ = await claim(engine, NEW, TERMS, WIDE)

    names = [claimed.enterprise_id for claimed in claims]
    assert (names.count("acme"), names.count("globex")) == (10, 10)


def turns(rows: Mapping[str, list[str]], rounds: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the round as one would write it without a database: logins and enterprises in the order of bytes."""

    def after(names: Iterable[str], served: str) -> list[str]:
        in_order = sorted(names, key=str.encode)
        ahead = [name for name in in_order if name.encode() > served.encode()]
        return ahead + [name for name in in_order if name not in ahead]

    logins = after(rows, list(rounds)[-1] if rounds else "")
    left = {login: after(rows[login], rounds.get(login, "")) for login in logins}
    for rank in range(max(map(len, left.values()), default=0)):
        yield from ((login, left[login][rank]) for login in logins if rank < len(left[login]))


@pytest.mark.parametrize("batch", [1, 2, 5])
@pytest.mark.parametrize("seed", [1, 2])
async def test_claims_go_round_the_logins_and_the_enterprises_of_each(
    engine: Engine, db: Db, batch: int, seed: int
) -> None:
    """As a plain program does it, however many rows a claim may take, until the last."""
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    names = ["acme", "Acme", "Ölwerk", *(f"tenant-{number}" for number in range(9))]
    rows: dict[str, list[str]] = {}
    for login in ("app", "App", "zeta", "Ömer"):
        mine = [names.pop(chance.randrange(len(names))) for _ in range(chance.randint(1, 3))]
        rows[login] = mine
        written_by(db, login, mine)
    cursor, wanted, found = WIDE, list[set[str]](), list[set[str]]()
    while rows:
        next_turns = list(turns(rows, cursor.rounds))[:batch]
        wanted.append({enterprise for _, enterprise in next_turns})
        claims, cursor = await claim(engine, NEW, replace(TERMS, batch=batch), cursor)
        found.append({claimed.enterprise_id for claimed in claims})
        for login, enterprise in next_turns:
            rows[login].remove(enterprise)
        rows = {login: mine for login, mine in rows.items() if mine}

    assert found == wanted


async def test_a_loop_remembers_a_thousand_logins(engine: Engine, db: Db) -> None:
    """Those that it served last."""
    written_by(db, "zeta", ["acme"])
    former = {f"login-{number}": "globex" for number in range(1000)}

    _, cursor = await claim(engine, NEW, TERMS, replace(WIDE, rounds=former))

    assert list(cursor.rounds) == [f"login-{number}" for number in range(1, 1000)] + ["zeta"]


def test_a_row_has_the_login_that_inserted_it(any_database: str) -> None:
    """Of the session, also through a function and behind another role; nobody can choose or change it."""
    producing, bound = a_login(any_database, "xnovu_producer"), a_login(any_database, "xnovu_tenant")
    bind(any_database, bound, "acme")
    with open_db(any_database) as admin, open_db(producing) as producer, open_db(bound) as tenant:
        a_workflow(admin)
        speak_for(producer, "acme")
        mine = a_notification(producer)
        producer.execute("SET ROLE xnovu_producer")
        made = {
            name_of(producing): [mine, a_notification(producer)],
            name_of(bound): [
                found["id"]
                for found in tenant.execute("SELECT notify.enqueue('acme', 'order-shipped', '{s}') AS id")
            ],
            admin.info.user: [a_notification(admin)],
        }
        for login, ids in made.items():
            assert [row(admin, made_by)["created_by"] for made_by in ids] == [login] * len(ids)
        for writer, refusal in ((producer, InsufficientPrivilege), (admin, CheckViolation)):
            with pytest.raises(refusal):
                a_notification(writer, created_by="another")
            with pytest.raises(refusal):
                written(writer, mine, created_by="another")
        admin.execute("SET ROLE xnovu_worker")
        with pytest.raises(CheckViolation, match="created_by is the login that inserted it"):
            written(admin, mine, created_by="another")
    for login_url in (producing, bound):
        without_login(any_database, login_url)


async def test_rows_from_before_the_column_are_served(engine: Engine, db: Db) -> None:
    """Together, as if one login had written them."""
    written_by(db, "unknown", ring(40))
    a_notification(db, enterprise="acme")

    claims, _ = await claim(engine, NEW, TERMS, Cursor(rounds={"unknown": "ring-5"}, queue=WIDE.queue))

    names = {claimed.enterprise_id for claimed in claims}
    assert len(names) == 20
    assert {"acme", "ring-6"} < names
