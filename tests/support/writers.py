"""The writers of an any-order test, as far as they hold no send: the base, people and loops."""

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

# No sum of spans is the length of another: nothing falls due in the middle of a step.
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
    """Where orders are played.

    Attributes:
        runner: the event loop of all writers.
        engine: the worker's pool.
        db: the superuser's connection.
        workflow: the row of a workflow.
        moves: what was seen in all orders.
    """

    runner: asyncio.Runner
    engine: Engine
    db: Db
    workflow: int
    moves: set[tuple[Status, Status]]


def newest(chance: Random, things: Sequence[T]) -> T:
    """Choose one, mostly among the newest, and now and then what everybody else has forgotten."""
    return things[max(0, len(things) - 1 - int(chance.expovariate(0.7)))]


@contextmanager
def a_ground(url: str) -> Iterator[Ground]:
    """Open a ground on a migrated database."""
    with asyncio.Runner() as runner, open_db(url) as db:
        engine = connect(sqlalchemy_url(url), part="any-order", size=1)
        # The rows' times are moved back, and all that was sent is to stay this deployment's.
        db.execute("UPDATE notify.deployment SET created_at = '-infinity'")
        yield Ground(runner, engine, db, a_workflow(db), set())
        runner.run(engine.dispose())


class Writers(RuleBasedStateMachine):
    """What all writers share: the table, the ledger, and every attempt that was ever given out.

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
        """The attempts that are still somebody's."""
        return [one for one in self.attempts if self.stands(one)]

    def draw_attempts(self, chance: Random) -> list[Attempt]:
        """Choose attempts that stand, and now and then some that do not."""
        attempts = self.attempts if chance.random() < 0.2 else self.standing or self.attempts
        return [newest(chance, attempts) for _ in range(chance.randint(1, 3))]

    def arrive(self, attempts: Sequence[Attempt], moved: set[int], right: Callable[[Row], bool]) -> None:
        """Expect that the rows moved whose writer had the right to, and no others."""
        wanted = {one.notification_id for one in attempts if self.stands(one, right)}
        assert moved == wanted
        self.changed |= moved

    def written(self, states: dict[int, Status]) -> set[int]:
        """Return the rows that an arrow moved; after this step each must have the state that came back."""
        self.states |= states
        return set(states)

    def stands(self, attempt: Attempt, right: Callable[[Row], bool] = bool) -> bool:
        """Whether the right of a claim still stands, and a further condition holds."""
        row = self.rows[attempt.notification_id]
        return (row["status"], row["attempt"]) == (Status.PROCESSING, attempt.number) and right(row)

    def enter(self, claims: Sequence[Claim]) -> None:
        """Enter claims: each is one attempt further."""
        assert all(one.attempt.number == self.rows[one.notification_id]["attempt"] + 1 for one in claims)
        self.attempts += [one.attempt for one in claims]
        self.changed |= {one.notification_id for one in claims}

    @initialize(size=st.sampled_from(_SIZES))
    def begin(self, size: int) -> None:
        """Each order has the table to itself, and one notification to begin with."""
        self.db.execute("DELETE FROM notify.ent_notification")
        self.insert(size, {})

    def insert(self, size: int, columns: dict[str, Any]) -> None:
        """Write a notification as a producer does."""
        recipients = [f"s-{n}" for n in range(size)]
        made = a_notification(self.db, workflow=self.ground.workflow, recipients=recipients, **columns)
        self.changed.add(made)

    def pass_time(self, chance: Random) -> None:
        """All times of the table move into the past, and with them what the senders know of them."""
        span = chance.choice(_SPANS)
        self.db.execute(_AGE, {"span": span})
        self.ledger.pass_time(span)
        self.changed |= self.rows.keys()

    @invariant()
    def table_and_ledger_agree(self) -> None:
        """After each step: what was changed is what was told, and every promise holds."""
        after = look(self.db)
        assert self.states.items() <= {one: row["status"] for one, row in after.items()}.items()
        self.states.clear()
        for one in sorted(self.changed):
            note(f"    {one} is {after[one]['status']} at attempt {after[one]['attempt']}")
        self.ledger.compare(after, self.changed, self.revived)
        self.changed, self.revived = set(), set()


class ByPeople(Writers):
    """What producers do, and operators."""

    def produce(self, chance: Random) -> None:
        """Write a notification: due or not, to one recipient or to more than one chunk takes."""
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
        """Write one of the columns that are the producer's at any time."""
        one = self.a_row(chance)["id"]
        written(self.db, one, **chance.choice(_CHANGES))
        self.changed.add(one)

    def retract(self, chance: Random) -> None:
        """Withdraw: at once where nothing can have been accepted, else the outcome decides."""
        row = self.a_row(chance)
        told = self.db.execute("SELECT notify.retract(%s)::text AS status", [row["id"]]).fetchone()
        doubt = row["send_until"] is not None or in_doubt(row)
        assert told == {"status": row["status"] if row["status"] in FINAL or doubt else "RETRACTED"}
        # What is SENT takes note of it, and stays so.
        self.changed |= {row["id"]} if row["status"] not in {Status.DEAD, Status.RETRACTED} else set()

    def revive(self, chance: Random) -> None:
        """An operator takes up again what was given up, unless Novu may have forgotten that it took it."""
        doubtful = [row for row in self.rows.values() if row["status"] in FINAL and in_doubt(row)]
        rows = [chance.choice(doubtful or [self.a_row(chance)]), self.a_row(chance)]
        force = chance.random() < 0.5
        ended = {row["id"]: row for row in rows if row["status"] in {Status.DEAD, Status.RETRACTED}}
        told = self.run(by_operator.revive(self.engine, [row["id"] for row in rows], force=force))
        revived = self.written(told.revived)
        assert revived == {one for one, row in ended.items() if force or not forgotten(row)}
        assert told.doubtful == ended.keys() - revived
        self.revived |= revived
        self.changed |= revived


def in_doubt(row: Row) -> bool:
    """Whether anything of it may have been accepted, as far as was recorded."""
    return row["unknown_outcomes"] > 0 or not {"accepted", "unknown"}.isdisjoint(row["outcomes"])


def forgotten(row: Row) -> bool:
    """Whether it may have been accepted, so long ago that Novu would not know a repeat."""
    if marked(row) or not (row["unknown_outcomes"] > 0 or "unknown" in row["outcomes"]):
        return False
    ended_at = row["processed_at"] or row["retracted_at"]
    return ended_at is None or bool(row["seen_at"] - ended_at >= by_operator.NOVU_REMEMBERS)


class ByLoops(Writers):
    """What the loops of two replicas do, and their rescuers."""

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        self.cursors: dict[tuple[int, str], Cursor] = {}
        self.seen: list[tuple[Lapsed, bool]] = []

    def turn(self, chance: Random) -> None:
        """A loop takes what is due to it; now and then one to which nothing is."""
        owners = {name for row in self.rows.values() for name in row["owners"]}
        busy = chance.random() < 0.9
        loops = [one for one in (NEW, SCHEDULED, FAILED) if (one.name in owners) is busy]
        self.claim(chance.randrange(2), chance.choice(loops or [NEW]))

    def claim(self, poller: int, due: Due) -> None:
        """Take what is due to one loop, and nothing else."""
        owned = {one for one, row in self.rows.items() if row["owners"] == [due.name]}
        cursor = self.cursors.get((poller, due.name), Cursor())
        claims, self.cursors[poller, due.name] = self.run(claim(self.engine, due, TERMS, cursor))
        assert len(claims) == min(len(owned), TERMS.batch)
        assert {one.notification_id for one in claims} <= owned
        self.enter(claims)

    def expire(self, _: Random) -> None:
        """Retract what is over and cannot have been accepted."""
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
        """See what has lapsed and ask Temporal; what is done about it may come much later."""
        found = self.run(read_lapsed(self.engine, 100))
        owned = {one for one, row in self.rows.items() if row["owners"] == ["rescue"]}
        assert {one.attempt.notification_id for one in found} == owned
        self.seen += [(one, chance.random() < 0.3) for one in found]
        if found and chance.random() < 0.6:
            self.rescue(chance)

    def rescue(self, chance: Random) -> None:
        """Act on what was seen and said, however much has happened since."""
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
        """Give back what was not begun."""
        moved = self.written(self.run(by_claim.release(self.engine, attempts)))
        self.arrive(attempts, moved, lambda row: row["send_until"] is None)

    def cancel(self, chance: Random) -> None:
        """Write down what Novu said about what was sent and is withdrawn, asked for by this loop or by another."""
        found = {one.notification_id for one in self.run(read_withdrawn(self.engine, 100, ()))}
        assert found == {
            one
            for one, row in self.rows.items()
            if row["status"] == Status.SENT and row["retract_requested_at"] and not row["error_details"]
        }
        asked = {self.a_row(chance)["id"]: "cancelled" for _ in range(2)}
        moved = self.written(self.run(by_claim.record_cancel_answer(self.engine, asked)))
        withdrawn = {one for one in asked if self.rows[one]["retract_requested_at"]}
        assert moved == {one for one in withdrawn if self.rows[one]["status"] == Status.SENT}
        self.changed |= moved
