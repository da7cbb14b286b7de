"""Which deployment a database belongs to, how a copy is recognized, and the copy's two ways to go on."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.support.copies import copied, copied_by_files
from tests.support.logins import a_login, without_login
from tests.support.postgres import migrated_copy
from tests.support.rows import (
    Db,
    a_notification,
    attempt_of,
    back_dated,
    engine_on,
    open_db,
    row,
    written,
)
from tests.support.waiting import eventually, until_blocked
from xnovu_poller.dev.postgres import Postgres
from xnovu_poller.errors import DeploymentDisputed, StoreError
from xnovu_poller.lifecycle import Attempt, Status
from xnovu_poller.store import identity
from xnovu_poller.store.engine import Engine, connect
from xnovu_poller.store.notifications import by_claim
from xnovu_poller.store.notifications.claim import Terms

TERMS = Terms(prefix="abc", batch=10, group_size=1, max_in_flight=10, lease=timedelta(seconds=30))


@pytest.fixture
def filled(postgres_server: Postgres) -> Any:  # noqa: ANN401 - a generator
    """Return the URL of a database with a notification and no connection."""
    with migrated_copy(postgres_server) as url:
        with open_db(url) as db:
            a_notification(db)
        yield url


async def test_a_deployment_keeps_its_identity(engine: Engine, db: Db) -> None:
    """Every start reads the same, with any rows written meanwhile."""
    first = await identity.read_deployment(engine)
    a_notification(db)

    assert await identity.read_deployment(engine) == first
    assert first.known_since is None


async def test_an_empty_copy_mints_its_own_id_and_keeps_it(postgres_server: Postgres) -> None:
    """For example a copy of a template; two starts at once agree, and the original keeps its id."""
    with migrated_copy(postgres_server) as original:
        async with engine_on(original) as engine:
            first = await identity.read_deployment(engine)
        with copied(postgres_server, original) as copy:
            async with engine_on(copy) as first_engine, engine_on(copy) as other:
                minted = await asyncio.gather(
                    identity.read_deployment(first_engine), identity.read_deployment(other)
                )
                again = await identity.read_deployment(first_engine)
        async with engine_on(original) as engine:
            assert await identity.read_deployment(engine) == first

    assert {*minted} == {again}
    assert again != first


async def test_a_copy_with_notifications_is_disputed(postgres_server: Postgres, filled: str) -> None:
    """Also at the next start; the message names both ways, and nothing was written."""
    async with engine_on(filled) as engine:
        original = await identity.read_deployment(engine)
    with copied(postgres_server, filled) as copy:
        async with engine_on(copy) as engine:
            with pytest.raises(DeploymentDisputed, match="rows came from another"):
                await identity.read_deployment(engine)
            with pytest.raises(DeploymentDisputed, match="rows came from another") as raised:
                await identity.read_deployment(engine)
        with open_db(copy) as db:
            assert db.execute("SELECT id FROM notify.deployment").fetchone() == {"id": original.id}

    assert f"deployment {original.id.hex[:8]} " in str(raised.value)
    assert "xnovu db new-deployment" in str(raised.value)
    assert "xnovu db keep-deployment" in str(raised.value)
    assert not raised.value.retryable


async def test_a_copy_of_the_files_is_not_recognized_by_itself(
    postgres_server: Postgres, filled: str
) -> None:
    """This is why Temporal is asked too."""
    with copied_by_files(postgres_server, filled) as copy:
        async with engine_on(copy) as engine:
            deployment = await identity.read_deployment(engine)
            with pytest.raises(DeploymentDisputed, match="attempt 1 of notification 2,"):
                await identity.verify_origin(engine, deployment, [Attempt(1, 0), Attempt(2, 1)])


async def test_a_plain_login_reads_the_deployment_too(database: str, db: Db) -> None:
    """The worker's login needs only the role, also to mint an id and to read the sequences."""
    login = a_login(database, "xnovu_worker")
    db.execute("UPDATE notify.deployment SET database = 'another'")
    before = db.execute("SELECT id FROM notify.deployment").fetchone()

    async with engine_on(login) as engine:
        minted = await identity.read_deployment(engine)
        await identity.verify_origin(engine, minted, [])
    without_login(database, login)

    assert before is not None
    assert minted.id != before["id"]


def delete(db: Db, notification_id: int) -> None:
    """Delete a notification, as retention does."""
    db.execute("DELETE FROM notify.ent_notification WHERE id = %s", [notification_id])


def revive(db: Db, notification_id: int) -> None:
    """Let a notification end DEAD, and revive it."""
    written(db, notification_id, notification_status="DEAD", lease_expires_at=None)
    written(db, notification_id, notification_status="PENDING")


@pytest.mark.parametrize("meanwhile", [lambda *_: None, delete, revive], ids=["open", "deleted", "revived"])
async def test_a_databases_own_runs_do_not_dispute_it(
    engine: Engine, db: Db, meanwhile: Callable[[Db, int], None]
) -> None:
    """Their rows may be open, deleted or revived meanwhile."""
    made = a_notification(db, status=Status.PROCESSING)
    a_notification(db, status=Status.PROCESSING)
    last = a_notification(db, status=Status.PROCESSING)
    deployment = await identity.read_deployment(engine)
    for notification_id in (made, last):
        meanwhile(db, notification_id)

    await identity.verify_origin(engine, deployment, [Attempt(last, 1), Attempt(made, 1)])


async def test_a_released_or_rescued_claim_does_not_dispute_it(engine: Engine, db: Db) -> None:
    """Its start may still have reached Temporal: the attempt number never falls."""
    released, rescued = (a_notification(db, status=Status.PROCESSING) for _ in range(2))
    back_dated(db, rescued)
    back_dated(db, rescued, timedelta(hours=1), "send_until")
    await by_claim.release(engine, [attempt_of(db, released)])
    [claim] = await by_claim.reclaim(engine, [attempt_of(db, rescued)], TERMS)
    deployment = await identity.read_deployment(engine)

    assert claim.attempt.number == 2
    await identity.verify_origin(
        engine, deployment, [Attempt(released, 1), Attempt(rescued, 1), claim.attempt]
    )


async def test_a_rolled_back_insert_does_not_dispute_it(engine: Engine, db: Db) -> None:
    """The sequence does not fall, so the next notification is known to come from here."""
    with db.transaction(force_rollback=True):
        gone = a_notification(db)
    deployment = await identity.read_deployment(engine)

    await identity.verify_origin(engine, deployment, [Attempt(gone, 1)])


async def test_an_unknown_notification_or_attempt_disputes_the_database(engine: Engine, db: Db) -> None:
    """A notification or an attempt beyond the last came from another database; also if the table was always empty."""
    deployment = await identity.read_deployment(engine)
    with pytest.raises(DeploymentDisputed, match="attempt 1 of notification 1,"):
        await identity.verify_origin(engine, deployment, [Attempt(1, 1)])
    made = a_notification(db, status=Status.PROCESSING)

    for unknown in (Attempt(made, 2), Attempt(made + 1, 1)):
        with pytest.raises(DeploymentDisputed, match=f"attempt {unknown.number} of .* {unknown[0]},"):
            await identity.verify_origin(engine, deployment, [Attempt(made, 1), unknown])


async def test_a_kept_deployment_starts_again(postgres_server: Postgres, filled: str) -> None:
    """With the same id and transaction ids; older runs in Temporal no longer count as evidence."""
    async with engine_on(filled) as engine:
        original = await identity.read_deployment(engine)
    with copied(postgres_server, filled) as copy:
        with open_db(copy) as db:
            before = row(db, 1)
        async with engine_on(copy) as engine:
            kept = await identity.keep_deployment(engine)
            assert await identity.read_deployment(engine) == kept
        with open_db(copy) as db:
            assert row(db, 1) == before

    assert kept.id == original.id
    assert kept.known_since is not None


async def test_a_new_deployment_is_known_from_now_on(postgres_server: Postgres, filled: str) -> None:
    """Older runs no longer count as evidence, and the original does not change."""
    async with engine_on(filled) as engine:
        original = await identity.read_deployment(engine)
    with copied(postgres_server, filled) as copy:
        async with engine_on(copy) as engine:
            made = await identity.new_deployment(engine)
            now = await identity.read_deployment(engine)
    async with engine_on(filled) as engine:
        assert await identity.read_deployment(engine) == original

    assert (made.former, made.id, made.renamed, made.taken_back) == (original.id, now.id, 1, 0)
    assert made.id != original.id
    assert now.known_since is not None


@pytest.mark.parametrize("status", Status)
async def test_unsent_notifications_get_another_transaction_id(
    engine: Engine, db: Db, status: Status
) -> None:
    """Rows that may still be sent forget Novu's answers to the former id; ended rows keep their counts."""
    made = a_notification(db, status=status)
    written(db, made, refusals=2, unknown_outcomes=1, lapses=3)
    before = row(db, made)

    renewal = await identity.new_deployment(engine)

    after = row(db, made)
    waits = status in {Status.PENDING, Status.FAILED, Status.PROCESSING}
    assert (after["transaction_id"] != before["transaction_id"]) is (status is not Status.SENT)
    assert (renewal.renamed, renewal.taken_back) == (status is not Status.SENT, status is Status.PROCESSING)
    assert after["notification_status"] == (Status.PENDING if status is Status.PROCESSING else status)
    assert (after["refusals"], after["unknown_outcomes"], after["lapses"]) == (
        (0, 0, 0) if waits else (2, 1, 3)
    )
    assert (after["attempt"], after["failure_count"]) == (before["attempt"], before["failure_count"])
    assert (after["lease_expires_at"], after["send_until"]) == (None, None)


async def test_rows_that_the_original_is_sending_return_to_their_former_state(engine: Engine, db: Db) -> None:
    """FAILED, if it was claimed from there; the live send is the original's."""
    made = a_notification(db, status=Status.PROCESSING)
    written(db, made, next_attempt_at="2020-01-01T00:00Z", send_until="2999-01-01T00:00Z")

    await identity.new_deployment(engine)

    assert row(db, made)["notification_status"] == "FAILED"


async def test_chunks_that_were_not_accepted_get_the_new_id(engine: Engine, db: Db) -> None:
    """An accepted chunk has reached its people, a refused chunk stays refused, an unknown chunk is sent again."""
    made = a_notification(db, status=Status.FAILED)
    for chunk, outcome in enumerate(("accepted", "refused", "unknown", None), 1):
        db.execute(
            "INSERT INTO notify.ent_notification_delivery (notification_id, chunk, enterprise_id, recipients,"
            " transaction_id, refusals, outcome, answered_at) VALUES (%s, %s, 'acme', '{s}', %s, 2, %s, now())",
            [made, chunk, f"old-{chunk}", outcome],
        )

    await identity.new_deployment(engine)

    new = row(db, made)["transaction_id"]
    found = db.execute(
        "SELECT transaction_id, refusals, outcome, answered_at IS NULL AS open"
        " FROM notify.ent_notification_delivery ORDER BY chunk"
    ).fetchall()
    assert [tuple(chunk_row.values()) for chunk_row in found] == [
        ("old-1", 2, "accepted", False),
        (f"{new}-2", 0, "refused", False),
        (f"{new}-3", 0, None, True),
        (f"{new}-4", 0, None, False),
    ]


async def test_nothing_changes_while_workers_are_connected(engine: Engine, db: Db) -> None:
    """They hold claims under the former id; a worker that is starting counts too, because it may have read that id."""
    made = a_notification(db)
    before = row(db, made), await identity.read_deployment(engine)
    worker = connect(engine.url.render_as_string(hide_password=False), part=identity.WORKER)
    await identity.read_deployment(worker)
    with pytest.raises(StoreError, match="stop them first"):
        await identity.new_deployment(engine)
    assert (row(db, made), await identity.read_deployment(engine)) == before

    await worker.dispose()
    # A session is shown until its server process has ended.
    shown = "SELECT FROM pg_stat_activity WHERE application_name = 'xnovu:worker' AND datname = current_database()"
    await eventually(lambda: db.execute(shown).rowcount == 0)
    await identity.new_deployment(engine)
    assert row(db, made) != before[0]


async def test_the_change_waits_for_a_session_that_reads_the_deployment(
    engine: Engine, db: Db, database: str
) -> None:
    """No worker can start between the search for workers and the change."""
    a_notification(db)
    with open_db(database) as reader:
        with reader.transaction():
            reader.execute("SELECT id FROM notify.deployment")
            renewing = asyncio.create_task(identity.new_deployment(engine))
            await until_blocked(database, "xnovu:test")
        assert (await renewing).renamed == 1


async def test_it_is_the_same_on_every_version(other_database: str) -> None:
    """The guard reads the writer of a row from PostgreSQL's own messages."""
    with open_db(other_database) as db:
        made = [a_notification(db, status=status) for status in Status]
        before = [row(db, notification_id)["transaction_id"] for notification_id in made]
        async with engine_on(other_database) as engine:
            deployment = await identity.read_deployment(engine)
            await identity.verify_origin(engine, deployment, [Attempt(made[1], 1)])
            renewal = await identity.new_deployment(engine)
            kept = await identity.keep_deployment(engine)
        after = [row(db, notification_id)["transaction_id"] for notification_id in made]

    assert (renewal.former, renewal.id, renewal.renamed) == (deployment.id, kept.id, 5)
    assert len({*before, *after}) == 11


def test_each_test_has_a_deployment_of_its_own(database: str, postgres_server: Postgres) -> None:
    """Although all databases are copies of the same template."""
    with migrated_copy(postgres_server) as other, open_db(other) as ours, open_db(database) as theirs:
        ids = [db.execute("SELECT id FROM notify.deployment").fetchone() for db in (ours, theirs)]

    assert ids[0] != ids[1]
