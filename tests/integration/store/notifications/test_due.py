"""Which rows each loop owns, and how fairly a claim shares its places."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

from tests.support.claiming import WIDE
from tests.support.rows import (
    Db,
    a_notification,
    attempt_of,
    back_dated,
    notifications,
    open_db,
    row,
    sqlalchemy_url,
    written,
)
from xnovu_poller.lifecycle import Claim, ErrorDetails, Status
from xnovu_poller.store.engine import Engine, connect
from xnovu_poller.store.notifications import by_claim, by_hold
from xnovu_poller.store.notifications.by_claim import LostAttempt
from xnovu_poller.store.notifications.claim import Cursor, Terms, claim
from xnovu_poller.store.notifications.due import FAILED, NEW, SCHEDULED, Due
from xnovu_poller.store.notifications.hold import hold
from xnovu_poller.store.notifications.lapsed import read_lapsed
from xnovu_poller.store.notifications.verdict import Ending, Verdict

TERMS = Terms(prefix="abc", batch=30, group_size=1, max_in_flight=10_000, lease=timedelta(seconds=30))
PAST, FUTURE = "2020-01-01T00:00Z", "2100-01-01T00:00Z"

NOT_PROCESSING = tuple(status for status in Status if status is not Status.PROCESSING)
PUBLICATION = (("PUBLISH", False), ("PUBLISH", True), ("DRAFT", False), ("DELETED", True))
TIMES = (None, PAST, FUTURE)


def owner_of(
    status: Status, scheduled: str | None, retry: str | None, publication: tuple[str, bool]
) -> str | None:
    """Return the loop that owns a row without a lease, according to the documents."""
    if publication != ("PUBLISH", False):
        return None
    match status:
        case Status.PENDING if scheduled is None:
            return "new"
        case Status.PENDING if scheduled == PAST:
            return "scheduled"
        case Status.FAILED if retry == PAST:
            return "failed"
        case _:
            return None


async def owners(engine: Engine, rows: int) -> dict[int, list[str]]:
    """Let every loop claim, and the rescue read, all rows that they find; return who got which row."""
    found: dict[int, list[str]] = {}
    for lapsed in await read_lapsed(engine, rows):
        found.setdefault(lapsed.attempt.notification_id, []).append("rescue")
    for due in (NEW, SCHEDULED, FAILED):
        claims, _ = await claim(engine, due, replace(TERMS, batch=rows), WIDE)
        for each in claims:
            found.setdefault(each.notification_id, []).append(due.name)
    return found


async def test_every_row_has_one_owner_or_a_reason_to_have_none(engine: Engine, db: Db) -> None:
    """The test covers all combinations of the columns that the loops read: no due row has two owners or none."""
    expected: dict[int, list[str]] = {}
    for status, scheduled, retry, publication in product(NOT_PROCESSING, TIMES, (PAST, FUTURE), PUBLICATION):
        if status is not Status.FAILED and retry == FUTURE:
            continue
        made = a_notification(
            db,
            status=status,
            scheduled_for=scheduled,
            publish_status=publication[0],
            deactivated=publication[1],
        )
        if status is Status.FAILED:
            written(db, made, next_attempt_at=retry)
        owner = owner_of(status, scheduled, retry, publication)
        expected |= {made: [owner]} if owner else {}
    soon = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
    for scheduled, lease, send, publication in product(TIMES, (PAST, FUTURE), (*TIMES, soon), PUBLICATION):
        made = a_notification(
            db,
            status=Status.PROCESSING,
            scheduled_for=scheduled,
            publish_status=publication[0],
            deactivated=publication[1],
        )
        written(db, made, lease_expires_at=lease, send_until=send, next_attempt_at=PAST)
        # A rescue only looks at leases; but a live send may still be recorded. A later send than any can be is not live.
        expected |= {made: ["rescue"]} if lease == PAST and send != soon else {}

    assert await owners(engine, 1000) == expected


async def test_a_rescued_row_is_either_released_or_reclaimed(engine: Engine, db: Db) -> None:
    """Both arrows get the same attempts, and each takes only its own rows."""
    idle, sending = (a_notification(db, status=Status.PROCESSING) for _ in range(2))
    for made in (idle, sending):
        back_dated(db, made)
    back_dated(db, sending, timedelta(hours=1), "send_until")
    attempts = [lapsed.attempt for lapsed in await read_lapsed(engine, 10)]

    assert await by_claim.release(engine, attempts) == {idle: Status.PENDING}
    assert [claimed.notification_id for claimed in await by_claim.reclaim(engine, attempts, TERMS)] == [
        sending
    ]


def share_of(claims: list[Claim]) -> Counter[str]:
    """Count the claims of each enterprise."""
    return Counter(claimed.enterprise_id for claimed in claims)


async def test_each_enterprise_gets_its_share(engine: Engine, db: Db) -> None:
    """A claim of thirty places, and three enterprises with more than enough rows."""
    for name in ("acme", "globex", "initech"):
        notifications(db, 50, enterprise=name)

    claims, _ = await claim(engine, NEW, TERMS, WIDE)

    assert share_of(claims) == {"acme": 10, "globex": 10, "initech": 10}


async def test_a_claim_fills_its_places(any_database: str) -> None:
    """The places by age are added to the others, on every version; so a group is complete."""
    engine = connect(sqlalchemy_url(any_database), part="test")
    with open_db(any_database) as db:
        for enterprise in ("acme", "globex"):
            notifications(db, 150, enterprise=enterprise)
    cursor, taken = WIDE, list[int]()
    for _ in range(3):
        claims, cursor = await claim(engine, NEW, replace(TERMS, batch=100), cursor)
        taken.append(len(claims))
    await engine.dispose()

    assert taken == [100, 100, 100]


async def test_a_single_row_is_claimed_beside_thousands(engine: Engine, db: Db) -> None:
    """A big backlog hides nobody."""
    notifications(db, 3000, enterprise="acme")
    single = a_notification(db, enterprise="zenith")

    claims, _ = await claim(engine, NEW, TERMS, WIDE)

    assert single in {claimed.notification_id for claimed in claims}
    assert share_of(claims)["acme"] == 15


async def test_the_round_continues_after_the_last_served_enterprise(engine: Engine, db: Db) -> None:
    """With two places a claim, five enterprises take turns."""
    for name in "abcde":
        notifications(db, 9, enterprise=name)
    terms, cursor, served = replace(TERMS, batch=2), WIDE, []

    for _ in range(5):
        claims, cursor = await claim(engine, NEW, terms, cursor)
        served.append(sorted(claimed.enterprise_id for claimed in claims))

    assert served == [["a", "b"], ["c", "d"], ["a", "e"], ["b", "c"], ["d", "e"]]


async def test_an_empty_claim_keeps_the_cursor(engine: Engine, db: Db) -> None:
    """The round continues where it was."""
    claims, cursor = await claim(engine, NEW, TERMS, Cursor("m", 9))

    assert (claims, cursor) == ([], Cursor("m", 0))


async def test_only_the_named_enterprises_are_served(engine: Engine, db: Db) -> None:
    """They take turns as usual; a name without rows takes no place."""
    for name in ("acme", "globex", "initech"):
        notifications(db, 50, enterprise=name)
    terms = replace(TERMS, enterprises=("initech", "acme", "nobody"))

    for due, expected in ((NEW, {"acme": 15, "initech": 15}), (SCHEDULED, {}), (FAILED, {})):
        claims, _ = await claim(engine, due, terms, replace(WIDE, after="b"))
        assert share_of(claims) == expected


async def test_claims_stop_at_max_in_flight(engine: Engine, db: Db) -> None:
    """The limit is for the whole deployment; released rows make room."""
    notifications(db, 20)
    terms = replace(TERMS, max_in_flight=12)

    first, cursor = await claim(engine, NEW, terms, WIDE)
    second, cursor = await claim(engine, NEW, terms, cursor)
    await by_claim.release(engine, [claimed.attempt for claimed in first[:5]])
    third, _ = await claim(engine, NEW, terms, cursor)

    assert (len(first), len(second), len(third)) == (12, 0, 5)


async def test_nobody_holds_more_than_half_while_another_has_due_rows(engine: Engine, db: Db) -> None:
    """An enterprise by itself may have all places; with a rival it stops at half."""
    notifications(db, 100, enterprise="acme")
    notifications(db, 3, enterprise="globex")
    terms, cursor, total = replace(TERMS, batch=10, max_in_flight=20), WIDE, Counter[str]()

    for _ in range(6):
        claims, cursor = await claim(engine, NEW, terms, cursor)
        total += share_of(claims)
    assert total == {"acme": 17, "globex": 3}

    notifications(db, 3, enterprise="globex")
    held = db.execute("SELECT id FROM notify.ent_notification WHERE temporal_workflow_id IS NOT NULL")
    attempts = [
        attempt_of(db, found["id"]) for found in held if row(db, found["id"])["enterprise_id"] == "acme"
    ]
    await by_claim.release(engine, attempts[:5])
    claims, cursor = await claim(engine, NEW, terms, cursor)
    assert share_of(claims) == {"globex": 3}


async def test_claims_of_a_single_place_keep_the_half_too(engine: Engine, db: Db) -> None:
    """Even the smallest claim passes its place on if the enterprise has its half already."""
    notifications(db, 50, enterprise="acme")
    notifications(db, 50, enterprise="globex")
    terms, cursor, total = replace(TERMS, batch=1, max_in_flight=8), WIDE, Counter[str]()

    await claim(engine, NEW, replace(terms, batch=4, enterprises=("globex",)), WIDE)
    for _ in range(4):
        claims, cursor = await claim(engine, NEW, terms, cursor)
        total += share_of(claims)

    assert total == {"acme": 4}


async def test_a_limit_of_one_in_flight_still_serves_two_enterprises(engine: Engine, db: Db) -> None:
    """Half of a single place is none, which would stop everybody."""
    notifications(db, 5, enterprise="acme")
    notifications(db, 5, enterprise="globex")
    terms, cursor, total = replace(TERMS, max_in_flight=1), WIDE, Counter[str]()

    for _ in range(4):
        claims, cursor = await claim(engine, NEW, terms, cursor)
        assert len(claims) == 1
        total += share_of(claims)
        await by_hold.record_sent(engine, [await hold_as_sent(engine, claims[0])])

    assert total == {"acme": 2, "globex": 2}


async def hold_as_sent(engine: Engine, claimed: Claim) -> Verdict:
    """Hold the claimed row, and return the record of an acceptance."""
    span = timedelta(seconds=10)
    [held] = (await hold(engine, [claimed.attempt], deadline=span)).held
    return Verdict(Ending.SENT, held)


async def test_higher_priority_goes_first(engine: Engine, db: Db) -> None:
    """It holds within an enterprise and in each loop; at the same priority older rows come first."""
    ids: dict[Due, list[int]] = {NEW: [], SCHEDULED: [], FAILED: []}
    for priority in (0, 5, 9, 5, 0):
        ids[NEW].append(a_notification(db, priority=priority))
        ids[SCHEDULED].append(a_notification(db, priority=priority, scheduled_for=PAST))
        ids[FAILED].append(a_notification(db, priority=priority, status=Status.FAILED))

    for due, made in ids.items():
        claims, _ = await claim(engine, due, replace(TERMS, batch=3), WIDE)
        assert {claimed.notification_id for claimed in claims} == {made[2], made[1], made[3]}


async def test_one_place_in_ten_goes_to_the_oldest(engine: Engine, db: Db) -> None:
    """An endless stream of urgent rows starves no row, in no loop, even with small claims."""
    for due in (NEW, SCHEDULED, FAILED):
        await _one_in_ten(engine, db, due)


async def _one_in_ten(engine: Engine, db: Db, due: Due) -> None:
    enterprise = f"{due.name}-only"
    patient = notifications(db, 3, enterprise=enterprise)
    urgent = notifications(db, 20, enterprise=enterprise, priority=9)
    if due is SCHEDULED:
        for made in patient:
            written(db, made, scheduled_for="2020-01-01T00:00Z")
        db.execute(
            "UPDATE notify.ent_notification SET scheduled_for = '2021-01-01' WHERE id = ANY (%s)", [urgent]
        )
    if due is FAILED:
        await _fail(engine, db, [*patient, *urgent])
        for made in patient:
            written(db, made, next_attempt_at="2020-01-01T00:00Z")
    cursor, taken = WIDE, list[int]()

    for _ in range(10):
        claims, cursor = await claim(engine, due, replace(TERMS, batch=1, enterprises=(enterprise,)), cursor)
        taken += [claimed.notification_id for claimed in claims]

    assert [notification_id for notification_id in taken if notification_id in patient] == patient[:1]


async def _fail(engine: Engine, db: Db, ids: list[int]) -> None:
    await claim(engine, NEW, replace(TERMS, batch=500), WIDE)
    lost = [LostAttempt(attempt_of(db, made), timedelta(0), counted=True, died=True) for made in ids]
    error = ErrorDetails("novu_rejected", "Novu: rejects it")
    await by_claim.record_lost_contact(engine, lost, error=error, max_failures=8)
