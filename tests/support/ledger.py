"""A second account of the notifications, kept beside the table: who may send, and what Novu has taken."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any

from tests.support.rows import Db
from xnovu_poller.lifecycle import LAWFUL_MOVES, RECIPIENTS_PER_CHUNK, Hold, Status
from xnovu_poller.store.notifications import lapsed
from xnovu_poller.store.notifications.by_chunk import Chunk
from xnovu_poller.store.notifications.due import FAILED, NEW, SCHEDULED
from xnovu_poller.store.notifications.hold import Held

Row = dict[str, Any]
"""A notification as `look` reads it."""

FINAL = {Status.SENT, Status.DEAD, Status.RETRACTED}
COUNTERS = ("failure_count", "refusals", "unknown_outcomes", "lapses")

_OWNERS = ", ".join(
    f"CASE WHEN {due.owned} AND {due.due_now} THEN '{due.name}' END" for due in (NEW, SCHEDULED, FAILED)
)
_LAPSED = str(lapsed._LAPSED).replace(":limit", "1000")
_LOOK = f"""
SELECT n.*, notification_status::text AS status, cardinality(recipients) AS size, now() AS seen_at,
    array_remove(ARRAY[{_OWNERS}, CASE WHEN id IN (SELECT id FROM ({_LAPSED}) AS lapsed) THEN 'rescue' END], NULL)
        AS owners,
    ARRAY(SELECT d.outcome FROM notify.ent_notification_delivery d WHERE d.notification_id = n.id ORDER BY chunk)
        AS outcomes,
    ARRAY(SELECT d.transaction_id FROM notify.ent_notification_delivery d WHERE d.notification_id = n.id ORDER BY chunk)
        AS chunks,
    concat(n, (SELECT string_agg(d::text, '' ORDER BY chunk) FROM notify.ent_notification_delivery d
        WHERE d.notification_id = n.id)) AS whole
FROM notify.ent_notification n"""  # noqa: S608 - built of the package's own conditions


class Answer(Enum):
    """How a call to Novu ended, as its caller knows it.

    ACCEPTED: Novu took it. REJECTED: it never will. THROTTLED: it said not now. UNREACHED: it was not
    asked at all. UNKNOWN: no answer came; only the ledger knows whether it was taken.
    """

    ACCEPTED = auto()
    REJECTED = auto()
    THROTTLED = auto()
    UNREACHED = auto()
    UNKNOWN = auto()


@dataclass(eq=False)
class Sender:
    """Whoever was given a hold, and all that it knows.

    Attributes:
        hold: its right, as it was given.
        held: what it read with it.
        answer: of the call that it made under this hold; None before.
        chunk: whose answer is yet to be written.
        done: it has recorded, or has found itself late; it makes no further call.
    """

    hold: Hold
    held: Held
    answer: Answer | None = None
    chunk: Chunk | None = None
    done: bool = False

    @property
    def id(self) -> int:
        """The notification."""
        return self.hold.notification_id

    @property
    def over(self) -> bool:
        """Whether the notification is to be withdrawn rather than sent."""
        return self.held.withdrawn or self.held.expired

    def live(self, now: datetime) -> bool:
        """Whether it may still be sending."""
        return not self.done and self.hold.until > now


def look(db: Db) -> dict[int, Row]:
    """Read every notification whole, with the loops that own it, at one moment."""
    return {row["id"]: row for row in db.execute(_LOOK).fetchall()}


def marked(row: Row) -> bool:
    """Whether a row says that its delivery is unknown."""
    return "delivery" in (row["error_details"] or {})


@dataclass
class Ledger:
    """What happened, in the order in which it happened; each step is compared with the table.

    Attributes:
        rows: the table after the last step.
        senders: everybody who was ever given a hold.
        rules: the sender whose hold stands, by notification.
        accepted: the transaction ids that Novu has taken.
        moves: the moves that were seen.
        told: the notifications whose sender knew how its send ended, and has written it down in this step.
    """

    rows: dict[int, Row] = field(default_factory=dict)
    senders: list[Sender] = field(default_factory=list)
    rules: dict[int, Sender] = field(default_factory=dict)
    accepted: set[str] = field(default_factory=set)
    moves: set[tuple[Status, Status]] = field(default_factory=set)
    told: set[int] = field(default_factory=set)

    def give(self, hold: Hold, held: Held, answer: Answer | None = None) -> None:
        """Enter a hold that was given out."""
        sender = Sender(hold, held, answer)
        self.senders.append(sender)
        self.rules[sender.id] = sender

    def take(self, ids: Iterable[int]) -> None:
        """Enter that whatever holds there were of these are over."""
        for notification_id in ids:
            self.rules.pop(notification_id, None)

    def call(self, sender: Sender, transaction_id: str, answer: Answer, *, taken: bool) -> None:
        """Enter a call to Novu: it is made under a hold that stands, and by nobody else."""
        row = self.rows[sender.id]
        right = (row["status"], row["attempt"], row["send_until"])
        assert right == (Status.PROCESSING, sender.hold.attempt.number, sender.hold.until), (
            "sent without a hold"
        )
        if taken:
            self.accepted.add(transaction_id)
        sender.answer = answer

    def pass_time(self, span: timedelta) -> None:
        """Make every hold older, as the table's times were made."""
        for sender in self.senders:
            hold = sender.hold
            sender.hold = Hold(hold.attempt, hold.until - span)

    def taken(self, row: Row) -> bool:
        """Whether Novu has taken any part of a notification, by the transaction ids that it has now."""
        return not self.accepted.isdisjoint([row["transaction_id"], *row["chunks"]])

    def compare(self, after: dict[int, Row], changed: set[int], revived: set[int]) -> None:
        """Compare a step with the table.

        Args:
            after: the table now.
            changed: the notifications that the step says it has changed; no other may have.
            revived: those that a person has brought back, whose counters begin anew.
        """
        before, self.rows = self.rows, after
        touched = {one for one in after if one in before and after[one]["whole"] != before[one]["whole"]}
        touched |= after.keys() - before.keys()
        assert touched == changed, f"{touched} changed, {changed} was told"
        for one, row in after.items():
            if one in before:
                self.moves |= _moves(before[one], row)
                _assert_went_on(before[one], row, revived=one in revived)
                assert one in self.told or not _wiped_away(before[one], row), "a send was forgotten"
            _assert_rests(row)
            _assert_owned(row)
            self._assert_truthful(row)
        self._assert_nobody_sends_beside_another()
        self.told = set()

    def _assert_truthful(self, row: Row) -> None:
        """What a row says of its delivery is so."""
        if row["status"] == Status.SENT:
            calls = -(-row["size"] // RECIPIENTS_PER_CHUNK)
            assert row["outcomes"] == ["accepted"] * (calls if calls > 1 else 0)
            assert self.accepted.issuperset(row["chunks"] or [row["transaction_id"]]), (
                "SENT, but not accepted"
            )
        if row["status"] == Status.RETRACTED and not marked(row):
            assert not self.taken(row), "RETRACTED without a mark, but accepted"
        if row["status"] not in FINAL and self.taken(row):
            told = {"accepted", "unknown"} & set(row["outcomes"])
            assert row["send_until"] or row["unknown_outcomes"] or told, "forgot that it may be accepted"

    def _assert_nobody_sends_beside_another(self) -> None:
        now = max((row["seen_at"] for row in self.rows.values()), default=None)
        sending = [sender.id for sender in self.senders if now is not None and sender.live(now)]
        assert len(sending) == len(set(sending)), "two may be sending at once"


def _moves(before: Row, row: Row) -> set[tuple[Status, Status]]:
    """Give the move that a row has made, if it has; a claim anew is one too."""
    moved = (before["status"], before["attempt"]) != (row["status"], row["attempt"])
    return {(Status(before["status"]), Status(row["status"]))} if moved else set()


def _assert_went_on(before: Row, row: Row, *, revived: bool) -> None:
    """No state is reached but by a lawful move, and no counter falls."""
    assert _moves(before, row) <= LAWFUL_MOVES
    assert row["attempt"] >= before["attempt"]
    kept = ("refusals", "unknown_outcomes") if revived else COUNTERS
    # With the mark goes the transaction id that was in doubt.
    if not (revived and marked(before)):
        assert all(row[name] >= before[name] for name in kept), "a counter fell"


def _wiped_away(before: Row, row: Row) -> bool:
    """Whether a send is gone from the row that left no doubt behind."""
    gone = before["send_until"] is not None and row["send_until"] is None
    return gone and row["unknown_outcomes"] == before["unknown_outcomes"]


def _assert_rests(row: Row) -> None:
    """What has come to its end is held by nobody; what is held has a lease."""
    assert (row["lease_expires_at"] is not None) == (row["status"] == Status.PROCESSING)
    if row["status"] in FINAL:
        assert row["send_until"] is None


def _assert_owned(row: Row) -> None:
    """One loop owns the row, or there is a reason why none does."""
    reasons = list(_reasons(row))
    assert len(row["owners"]) == (0 if reasons else 1), f"{row['owners']}, {reasons}"


def _reasons(row: Row) -> Iterable[str]:
    """Say why a row is nobody's, as the design tells it."""
    now = row["seen_at"]
    if row["status"] in FINAL:
        yield "final"
    elif row["status"] == Status.PROCESSING:
        # Whatever its flags: work that has begun is brought to its end.
        if row["lease_expires_at"] >= now:
            yield "leased"
        if row["send_until"] is not None and row["send_until"] >= now:
            yield "being sent"
    else:
        due = row["scheduled_for"] if row["status"] == Status.PENDING else row["next_attempt_at"]
        if row["publish_status"] != "PUBLISH":
            yield "not published"
        if row["deactivated"]:
            yield "deactivated"
        if due is not None and due > now:
            yield "not yet due"
