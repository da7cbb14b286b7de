"""The writers of an any-order test that hold no send: the shared base, people and loops."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, TypeVar

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from tests.support.claiming import WIDE
from tests.support.ledger import FINAL, Ledger, Row, look, marked
from tests.support.rows import Db, a_notification, a_workflow, open_db, sqlalchemy_url, written
from xnovu_poller.lifecycle import RECIPIENTS_PER_CHUNK, Attempt, Claim, Status
from xnovu_poller.store.engine import Engine, connect
from xnovu_poller.store.notifications import by_claim, by_operator
from xnovu_poller.store.notifications.claim import Cursor, Terms, claim
from xnovu_poller.store.notifications.due import FAILED, NEW, SCHEDULED, Due
from xnovu_poller.store.notifications.lapsed import Lapsed, read_lapsed
from xnovu_poller.store.notifications.withdrawn import read_withdrawn

T = TypeVar("T")

# No sum of spans equals another duration, so nothing comes due in the middle of a step.
LEASE = timedelta(hours=1, seconds=30)
WAIT = timedelta(minutes=15, seconds=30)
TERMS = Terms(prefix="abc", batch=2, group_size=2, max_in_flight=50, lease=timedelta(minutes=20, seconds=30))
_SPANS = [
    timedelta(hours=2),
    timedelta(hours=2),
    timedelta(minutes=6),
    timedelta(minutes=11),
    timedelta(days=26),
]
_TIMES = [None, None, None, None, WAIT, -WAIT]
_MEANT = [("PUBLISH", False)] * 4 + [("DRAFT", False), ("PUBLISH", True)]
_SIZES = [1, RECIPIENTS_PER_CHUNK + 1]
_CHANGES: list[dict[str, Any]] = [
    {"publish_status": "PUBLISH", "deactivated": False},
    {"expires_at": "2020-01-01"},
    {"expires_at": None},
    {"scheduled_for": None},
    {"scheduled_for": "2020-01-01"},
    {"scheduled_for": "2100-01-01"},
    {"publish_status": "DELETED"},
    {"deactivated": True},
]

_AGE = """UPDATE notify.ent_notification SET lease_expires_at = lease_expires_at - %(span)s,
    send_until = send_until - %(span)s, next_attempt_at = next_attempt_at - %(span)s,
    scheduled_for = scheduled_for - %(span)s, expires_at = expires_at - %(span)s,
    processed_at = processed_at - %(span)s"""


@dataclass(frozen=True)
class Ground:
    """The servers on which the orders are played.

    Attributes:
        runner: the event loop of all writers.
        engine: the worker's pool.
        db: the superuser's connection.
        workflow: the id of a workflow.
        moves: the moves seen in all orders.
    """

    runner: asyncio.Runner
    engine: Engine
    db: Db
    workflow: int
    moves: set[tuple[Status, Status]]


def newest(chance: Random, things: Sequence[T]) -> T:
    """Choose an element, mostly among the newest, and sometimes a very old element."""
    return things[max(0, len(things) - 1 - int(chance.expovariate(0.7)))]


@contextmanager
def a_ground(url: str) -> Iterator[Ground]:
    """Open a ground on a migrated database."""
    with asyncio.Runner() as runner, open_db(url) as db:
        engine = connect(sqlalchemy_url(url), part="any-order", size=1)
        # The rows' times are moved back, and all sends must still count as this deployment's.
        db.execute("UPDATE notify.deployment SET created_at = '-infinity'")
        yield Ground(runner, engine, db, a_workflow(db), set())
        runner.run(engine.dispose())


class Writers(RuleBasedStateMachine):
    """The state that all writers share: the table, the ledger, and every attempt ever made.

    Args:
        ground: where they write; emptied first.
    """

    def __init__(self, ground: Ground) -> None:
        super().__init__()
        self.ground = ground
        self.engine, self.db = ground.engine, ground.db
        self.ledger = Ledger(moves=ground.moves)
        self.attempts: list[Attempt] = []
        self.changed: set[int] = set()
        self.revived: set[int] = set()
        self.states: dict[int, Status] = {}

    def run(self, arrow: Awaitable[T]) -> T:
        """Let a writer act."""

        async def acting() -> T:
            return await arrow

        return self.ground.runner.run(acting())

    @property
    def now(self) -> datetime:
        """When the table was last read."""
        seen_at: datetime = next(row["seen_at"] for row in self.rows.values())
        return seen_at

    @property
    def rows(self) -> dict[int, Row]:
        """The table before the step."""
        return self.ledger.rows

    def a_row(self, chance: Random) -> Row:
        """Choose a notification."""
        return self.rows[chance.choice(sorted(self.rows))]

    @property
    def standing(self) -> list[Attempt]:
        """The attempts that are still valid."""
        return [attempt for attempt in self.attempts if self.stands(attempt)]

    def draw_attempts(self, chance: Random) -> list[Attempt]:
        """Choose attempts, most of them valid."""
        attempts = self.attempts if chance.random() < 0.2 else self.standing or self.attempts
        return [newest(chance, attempts) for _ in range(chance.randint(1, 3))]

    def arrive(self, attempts: Sequence[Attempt], moved: set[int], right: Callable[[Row], bool]) -> None:
        """Assert that exactly the rows moved whose writer had the right to move them."""
        wanted = {attempt.notification_id for attempt in attempts if self.stands(attempt, right)}
        assert moved == wanted
        self.changed |= moved

    def written(self, states: dict[int, Status]) -> set[int]:
        """Return the rows that an arrow moved; after this step each must have the state that came back."""
        self.states |= states
        return set(states)

    def stands(self, attempt: Attempt, right: Callable[[Row], bool] = bool) -> bool:
        """Return whether a claim is still valid, and a further condition holds."""
        row = self.rows[attempt.notification_id]
        return (row["status"], row["attempt"]) == (Status.PROCESSING, attempt.number) and right(row)

    def enter(self, claims: Sequence[Claim]) -> None:
        """Enter claims, each with the next attempt number."""
        assert all(
            claim.attempt.number == self.rows[claim.notification_id]["attempt"] + 1 for claim in claims
        )
        self.attempts += [claim.attempt for claim in claims]
        self.changed |= {claim.notification_id for claim in claims}

    @initialize(size=st.sampled_from(_SIZES))
    def begin(self, size: int) -> None:
        """Start with an empty table and one notification."""
        self.db.execute("DELETE FROM notify.ent_notification")
        self.insert(size, {})

    def insert(self, size: int, columns: dict[str, Any]) -> None:
        """Insert a notification as a producer does."""
        recipients = [f"s-{n}" for n in range(size)]
        made = a_notification(self.db, workflow=self.ground.workflow, recipients=recipients, **columns)
        self.changed.add(made)

    def pass_time(self, chance: Random) -> None:
        """Move all times of the table into the past, and the senders' knowledge of them too."""
        span = chance.choice(_SPANS)
        self.db.execute(_AGE, {"span": span})
        self.ledger.pass_time(span)
        self.changed |= self.rows.keys()

    @invariant()
    def table_and_ledger_agree(self) -> None:
        """Assert after each step that exactly the reported rows changed, and that every promise holds."""
        after = look(self.db)
        assert self.states.items() <= {id_: row["status"] for id_, row in after.items()}.items()
        self.states.clear()
        for id_ in sorted(self.changed):
            note(f"    {id_} is {after[id_]['status']} at attempt {after[id_]['attempt']}")
        self.ledger.compare(after, self.changed, self.revived)
        self.changed, self.revived = set(), set()


class ByPeople(Writers):
    """The actions of producers and operators."""

    def produce(self, chance: Random) -> None:
        """Insert a notification, due or not, with one recipient or with more than a chunk takes."""
        now = self.now
        scheduled, expires = chance.choice(_TIMES), chance.choice(_TIMES)
        publish_status, deactivated = chance.choice(_MEANT)
        columns = {
            "enterprise": chance.choice(["acme", "globex"]),
            "scheduled_for": scheduled and now + scheduled,
            "expires_at": expires and now + expires,
            "publish_status": publish_status,
            "deactivated": deactivated,
        }
        self.insert(chance.choice(_SIZES), columns)

    def change(self, chance: Random) -> None:
        """Set a column that the producer may change at any time."""
        id_ = self.a_row(chance)["id"]
        written(self.db, id_, **chance.choice(_CHANGES))
        self.changed.add(id_)

    def retract(self, chance: Random) -> None:
        """Withdraw a notification: at once if nothing can have been accepted, else the outcome decides."""
        row = self.a_row(chance)
        answer = self.db.execute("SELECT notify.retract(%s)::text AS status", [row["id"]]).fetchone()
        doubt = row["send_until"] is not None or in_doubt(row)
        assert answer == {"status": row["status"] if row["status"] in FINAL or doubt else "RETRACTED"}
        # A SENT notification records the request, and stays SENT.
        self.changed |= {row["id"]} if row["status"] not in {Status.DEAD, Status.RETRACTED} else set()

    def revive(self, chance: Random) -> None:
        """Revive notifications as an operator does, unless Novu may have forgotten that it accepted them."""
        doubtful = [row for row in self.rows.values() if row["status"] in FINAL and in_doubt(row)]
        rows = [chance.choice(doubtful or [self.a_row(chance)]), self.a_row(chance)]
        force = chance.random() < 0.5
        ended = {row["id"]: row for row in rows if row["status"] in {Status.DEAD, Status.RETRACTED}}
        answer = self.run(by_operator.revive(self.engine, [row["id"] for row in rows], force=force))
        revived = self.written(answer.revived)
        assert revived == {id_ for id_, row in ended.items() if force or not forgotten(row)}
        assert answer.doubtful == ended.keys() - revived
        self.revived |= revived
        self.changed |= revived


def in_doubt(row: Row) -> bool:
    """Return whether Novu may have accepted any part of it, as far as the row records."""
    return row["unknown_outcomes"] > 0 or not {"accepted", "unknown"}.isdisjoint(row["outcomes"])


def forgotten(row: Row) -> bool:
    """Return whether it may have been accepted longer ago than Novu remembers."""
    if marked(row) or not (row["unknown_outcomes"] > 0 or "unknown" in row["outcomes"]):
        return False
    ended_at = row["processed_at"] or row["retracted_at"]
    return ended_at is None or bool(row["seen_at"] - ended_at >= by_operator.NOVU_REMEMBERS)


class ByLoops(Writers):
    """The actions of the loops and rescuers of two replicas."""

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        self.cursors: dict[tuple[int, str], Cursor] = {}
        self.seen: list[tuple[Lapsed, bool]] = []

    def turn(self, chance: Random) -> None:
        """Take a turn of a loop that has due rows; sometimes of a loop that has none."""
        owners = {name for row in self.rows.values() for name in row["owners"]}
        busy = chance.random() < 0.9
        loops = [due for due in (NEW, SCHEDULED, FAILED) if (due.name in owners) is busy]
        self.claim(chance.randrange(2), chance.choice(loops or [NEW]))

    def claim(self, poller: int, due: Due) -> None:
        """Claim the rows of one loop, and assert that no others are claimed."""
        owned = {id_ for id_, row in self.rows.items() if row["owners"] == [due.name]}
        cursor = self.cursors.get((poller, due.name), WIDE)
        claims, self.cursors[poller, due.name] = self.run(claim(self.engine, due, TERMS, cursor))
        assert len(claims) == min(len(owned), TERMS.batch)
        assert {claim.notification_id for claim in claims} <= owned
        self.enter(claims)

    def expire(self, _: Random) -> None:
        """Retract the notifications that have expired and cannot have been accepted."""
        over = {
            row["id"]
            for row in self.rows.values()
            if row["status"] in {Status.PENDING, Status.FAILED}
            and row["expires_at"] is not None
            and row["expires_at"] <= row["seen_at"]
            and not in_doubt(row)
        }
        assert self.written(self.run(by_claim.expire(self.engine))) == over
        self.changed |= over

    def look_after(self, chance: Random) -> None:
        """Read the lapsed rows and ask Temporal; the rescue may follow much later."""
        found = self.run(read_lapsed(self.engine, 100))
        owned = {id_ for id_, row in self.rows.items() if row["owners"] == ["rescue"]}
        assert {lapsed.attempt.notification_id for lapsed in found} == owned
        self.seen += [(lapsed, chance.random() < 0.3) for lapsed in found]
        if found and chance.random() < 0.6:
            self.rescue(chance)

    def rescue(self, chance: Random) -> None:
        """Act on earlier observations, even if much has happened since."""
        lapsed, is_open = newest(chance, self.seen)
        attempts = [lapsed.attempt]
        if is_open:
            moved = self.written(self.run(by_claim.extend_lease(self.engine, attempts, LEASE)))
            self.arrive(attempts, moved, lambda _: True)
        elif not lapsed.sending:
            self.release(attempts)
        else:
            claims = self.run(by_claim.reclaim(self.engine, attempts, TERMS))
            moved = {claim.notification_id for claim in claims}
            self.arrive(
                attempts, moved, lambda row: row["send_until"] is not None and row["owners"] == ["rescue"]
            )
            self.enter(claims)
            self.ledger.take(moved)

    def release(self, attempts: Sequence[Attempt]) -> None:
        """Release claims whose send has not begun."""
        moved = self.written(self.run(by_claim.release(self.engine, attempts)))
        self.arrive(attempts, moved, lambda row: row["send_until"] is None)

    def cancel(self, chance: Random) -> None:
        """Record Novu's answers about withdrawn notifications that were sent; another loop may have asked."""
        found = {cancel.notification_id for cancel in self.run(read_withdrawn(self.engine, 100, ()))}
        assert found == {
            id_
            for id_, row in self.rows.items()
            if row["status"] == Status.SENT and row["retract_requested_at"] and not row["error_details"]
        }
        answers = {self.a_row(chance)["id"]: "cancelled" for _ in range(2)}
        moved = self.written(self.run(by_claim.record_cancel_answer(self.engine, answers)))
        withdrawn = {id_ for id_ in answers if self.rows[id_]["retract_requested_at"]}
        assert moved == {id_ for id_ in withdrawn if self.rows[id_]["status"] == Status.SENT}
        self.changed |= moved
