"""A second account of the notifications, kept beside the table: who may send, and which triggers Novu accepted."""

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
"""A notification, as `look` reads it."""

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

    ACCEPTED: Novu accepted it. REJECTED: it never will. THROTTLED: Novu asked for a pause. UNREACHED: no
    call reached Novu. UNKNOWN: no answer came; only the ledger knows whether Novu accepted it.
    """

    ACCEPTED = auto()
    REJECTED = auto()
    THROTTLED = auto()
    UNREACHED = auto()
    UNKNOWN = auto()


@dataclass(eq=False)
class Origin:
    """The owner of a hold, and all that it knows.

    Attributes:
        hold: its right, as it was given.
        held: the notification, as it was read with the hold.
        answer: the answer to the call made under this hold; None before.
        chunk: the chunk whose answer still has to be written.
        done: it has recorded, or has found itself late; it makes no further call.
    """

    hold: Hold
    held: Held
    answer: Answer | None = None
    chunk: Chunk | None = None
    done: bool = False

    @property
    def id(self) -> int:
        """The notification's id."""
        return self.hold.notification_id

    @property
    def over(self) -> bool:
        """Whether the notification must be withdrawn instead of sent."""
        return self.held.withdrawn or self.held.expired

    def live(self, now: datetime) -> bool:
        """Return whether it may still be sending."""
        return not self.done and self.hold.until > now


def look(db: Db) -> dict[int, Row]:
    """Read every notification in full at one moment, with the loops that own it."""
    return {row["id"]: row for row in db.execute(_LOOK).fetchall()}


def marked(row: Row) -> bool:
    """Return whether a row is marked as possibly delivered."""
    return "delivery" in (row["error_details"] or {})


@dataclass
class Ledger:
    """The steps in their order; each of them is compared with the table.

    Attributes:
        rows: the table after the last step.
        senders: every sender that was ever given a hold.
        rules: the sender whose hold is valid, by notification.
        accepted: the transaction ids that Novu has accepted.
        moves: the moves so far.
        recorded: the notifications whose outcome a sender recorded in this step.
    """

    rows: dict[int, Row] = field(default_factory=dict)
    senders: list[Origin] = field(default_factory=list)
    rules: dict[int, Origin] = field(default_factory=dict)
    accepted: set[str] = field(default_factory=set)
    moves: set[tuple[Status, Status]] = field(default_factory=set)
    recorded: set[int] = field(default_factory=set)

    def give(self, hold: Hold, held: Held, answer: Answer | None = None) -> None:
        """Enter a hold that was given."""
        sender = Origin(hold, held, answer)
        self.senders.append(sender)
        self.rules[sender.id] = sender

    def take(self, ids: Iterable[int]) -> None:
        """Enter that the holds on these notifications, if any, are over."""
        for notification_id in ids:
            self.rules.pop(notification_id, None)

    def call(self, sender: Origin, transaction_id: str, answer: Answer, *, taken: bool) -> None:
        """Enter a call to Novu, which must be made under a valid hold."""
        row = self.rows[sender.id]
        right = (row["status"], row["attempt"], row["send_until"])
        assert right == (Status.PROCESSING, sender.hold.attempt.number, sender.hold.until), (
            "sent without a hold"
        )
        if taken:
            self.accepted.add(transaction_id)
        sender.answer = answer

    def pass_time(self, span: timedelta) -> None:
        """Make every hold older, as the times in the table are."""
        for sender in self.senders:
            hold = sender.hold
            sender.hold = Hold(hold.attempt, hold.until - span)

    def taken(self, row: Row) -> bool:
        """Return whether Novu has accepted any part of a notification, under its present transaction ids."""
        return not self.accepted.isdisjoint([row["transaction_id"], *row["chunks"]])

    def compare(self, after: dict[int, Row], changed: set[int], revived: set[int]) -> None:
        """Compare a step with the table.

        Args:
            after: the table now.
            changed: the notifications that the step reports as changed; no other may have.
            revived: those that a person has revived, whose counters start again.
        """
        before, self.rows = self.rows, after
        touched = {id_ for id_ in after if id_ in before and after[id_]["whole"] != before[id_]["whole"]}
        touched |= after.keys() - before.keys()
        assert touched == changed, f"{touched} changed, {changed} was reported"
        for id_, row in after.items():
            if id_ in before:
                self.moves |= _moves(before[id_], row)
                _assert_went_on(before[id_], row, revived=id_ in revived)
                assert id_ in self.recorded or not _wiped_away(before[id_], row), "a send was forgotten"
            _assert_rests(row)
            _assert_owned(row)
            self._assert_truthful(row)
        self._assert_nobody_sends_beside_another()
        self.recorded = set()

    def _assert_truthful(self, row: Row) -> None:
        """Assert that the row's account of its delivery is true."""
        if row["status"] == Status.SENT:
            calls = -(-row["size"] // RECIPIENTS_PER_CHUNK)
            assert row["outcomes"] == ["accepted"] * (calls if calls > 1 else 0)
            assert self.accepted.issuperset(row["chunks"] or [row["transaction_id"]]), (
                "SENT, but not accepted"
            )
        if row["status"] == Status.RETRACTED and not marked(row):
            assert not self.taken(row), "RETRACTED without a mark, but accepted"
        if row["status"] not in FINAL and self.taken(row):
            possible = {"accepted", "unknown"} & set(row["outcomes"])
            assert row["send_until"] or row["unknown_outcomes"] or possible, "forgot that it may be accepted"

    def _assert_nobody_sends_beside_another(self) -> None:
        now = max((row["seen_at"] for row in self.rows.values()), default=None)
        sending = [sender.id for sender in self.senders if now is not None and sender.live(now)]
        assert len(sending) == len(set(sending)), "two may be sending at once"


def _moves(before: Row, row: Row) -> set[tuple[Status, Status]]:
    """Return the move that a row has made, if any; a further claim counts as a move."""
    moved = (before["status"], before["attempt"]) != (row["status"], row["attempt"])
    return {(Status(before["status"]), Status(row["status"]))} if moved else set()


def _assert_went_on(before: Row, row: Row, *, revived: bool) -> None:
    """Assert that every move is lawful, and that no counter falls."""
    assert _moves(before, row) <= LAWFUL_MOVES
    assert row["attempt"] >= before["attempt"]
    kept = ("refusals", "unknown_outcomes") if revived else COUNTERS
    # The mark is cleared together with the transaction id that was in doubt.
    if not (revived and marked(before)):
        assert all(row[name] >= before[name] for name in kept), "a counter fell"


def _wiped_away(before: Row, row: Row) -> bool:
    """Return whether a send disappeared from the row without counting as an unknown outcome."""
    gone = before["send_until"] is not None and row["send_until"] is None
    return gone and row["unknown_outcomes"] == before["unknown_outcomes"]


def _assert_rests(row: Row) -> None:
    """Assert that only a claimed row has a lease, and that nobody holds a row that has ended."""
    assert (row["lease_expires_at"] is not None) == (row["status"] == Status.PROCESSING)
    if row["status"] in FINAL:
        assert row["send_until"] is None


def _assert_owned(row: Row) -> None:
    """Assert that a row has one owner, or a reason to have none."""
    reasons = list(_reasons(row))
    assert len(row["owners"]) == (0 if reasons else 1), f"{row['owners']}, {reasons}"


def _reasons(row: Row) -> Iterable[str]:
    """Yield the reasons why no loop owns a row, from the design."""
    now = row["seen_at"]
    if row["status"] in FINAL:
        yield "final"
    elif row["status"] == Status.PROCESSING:
        # Flags do not matter here: a run that has begun is always completed.
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
