"""Every arrow in any order, from several writers: the table keeps its promises in each order."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Literal

from hypothesis import HealthCheck, Phase, note, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test

from tests.support.held import HELD
from tests.support.ledger import Answer, Origin, Row
from tests.support.writers import WAIT, ByLoops, ByPeople, a_ground, newest
from xnovu_poller.lifecycle import LAWFUL_MOVES, RECIPIENTS_PER_CHUNK, ErrorDetails, Status
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications import by_chunk, by_claim, by_hold
from xnovu_poller.store.notifications.by_chunk import Chunk, split_recipients
from xnovu_poller.store.notifications.by_claim import LostAttempt
from xnovu_poller.store.notifications.hold import hold
from xnovu_poller.store.notifications.verdict import Ending, Verdict

DEADLINE = timedelta(minutes=9, seconds=25)
ERROR = ErrorDetails("novu_rejected", "Novu: rejects it")
MAX_FAILURES = 2
WORDS: dict[Answer, Literal["accepted", "refused", "unknown"]] = {
    Answer.ACCEPTED: "accepted",
    Answer.REJECTED: "refused",
    Answer.UNKNOWN: "unknown",
}
UNANSWERED = Chunk(1, ["s-0"], "xn-unheard", 0, None)

ORDERS = settings(
    max_examples=25,
    stateful_step_count=60,
    deadline=None,
    database=None,
    phases=[Phase.generate],  # remove this to shrink a failing order, which takes minutes
    suppress_health_check=list(HealthCheck),
)

MOST_SEEDS = 8
"""Orders are tried with further seeds until each lawful move was made."""


Record = Callable[[Engine, Verdict], Awaitable[dict[int, Status]]]


async def record_failed(engine: Engine, verdict: Verdict) -> dict[int, Status]:
    """Record a failure."""
    return await by_hold.record_failed(engine, [verdict], max_failures=MAX_FAILURES)


ARROWS: dict[Ending, Record] = {
    Ending.SENT: lambda engine, verdict: by_hold.record_sent(engine, [verdict]),
    Ending.DEAD: lambda engine, verdict: by_hold.record_dead(engine, [verdict]),
    Ending.UNKNOWN: lambda engine, verdict: by_hold.record_unknown(engine, [verdict]),
    Ending.UNFINISHED: lambda engine, verdict: by_hold.clear_hold(engine, [verdict]),
    Ending.RELEASED: lambda engine, verdict: by_hold.release_held(engine, [verdict]),
    Ending.RETRACTED: lambda engine, verdict: by_hold.record_retracted(engine, [verdict]),
    Ending.FAILED: record_failed,
}

RECORDS: dict[str, Verdict] = {
    "sent": Verdict(Ending.SENT, HELD),
    "dead": Verdict(Ending.DEAD, HELD, ERROR),
    "dead, refused": Verdict(Ending.DEAD, HELD, ERROR, refused=True),
    "unknown": Verdict(Ending.UNKNOWN, HELD, ERROR, unknown=True),
    "cleared": Verdict(Ending.UNFINISHED, HELD),
    "released": Verdict(Ending.RELEASED, HELD),
    "released, refused": Verdict(Ending.RELEASED, HELD, refused=True),
    "retracted": Verdict(Ending.RETRACTED, HELD),
    "retracted, in doubt": Verdict(Ending.RETRACTED, HELD, unknown=True),
    "failed": Verdict(Ending.FAILED, HELD, ERROR, wait=WAIT),
    "failed, in doubt": Verdict(Ending.FAILED, HELD, ERROR, wait=WAIT, unknown=True),
    "failed, in an outage": Verdict(Ending.FAILED, HELD, ERROR, wait=WAIT, unknown=True, counted=False),
    "failed, tripped": Verdict(Ending.FAILED, HELD, ERROR, wait=WAIT, refused=True, counted=False),
}
"""Every record that a sender can write; the notification is filled in later."""

FITTING: dict[Answer | None, list[str]] = {
    None: ["cleared", "released", "dead", "failed"],
    Answer.ACCEPTED: ["sent"],
    Answer.REJECTED: ["dead, refused"],
    Answer.THROTTLED: ["released, refused", "failed, tripped"],
    Answer.UNREACHED: ["released"],
    Answer.UNKNOWN: ["unknown", "failed, in doubt", "failed, in an outage"],
}
"""The records that fit a sender, by the answer that it has."""

ACTS = {
    "go_on": 18,
    "hold": 5,
    "turn": 5,
    "rescue": 4,
    "pass_time": 3,
    "look_after": 6,
    "lose_contact": 2,
    "expire": 1,
    "revive": 1,
    "die": 2,
    "produce": 1,
    "change": 1,
    "retract": 1,
    "give_back": 1,
    "cancel": 1,
}
"""Possible next steps and their weights: mostly steps that lead on, because the ends are many steps away."""


def write(engine: Engine, name: str, sender: Origin) -> Awaitable[dict[int, Status]]:
    """Write a record with the hold of a sender."""
    verdict = replace(RECORDS[name], held=replace(sender.held, hold=sender.hold))
    return ARROWS[verdict.ending](engine, verdict)


def at_rest(row: Row) -> bool:
    """Return whether nobody is sending the row now."""
    return row["send_until"] is None or row["send_until"] < row["seen_at"]


class ByExecutors(ByLoops, ByPeople):
    """The steps of executors and workflows; the base classes add all others."""

    @rule(chance=st.randoms(use_true_random=True))
    def act(self, chance: Random) -> None:
        """Take a step, and often let a late sender follow it."""
        idle = {
            *({"hold", "lose_contact", "give_back"} if not self.standing else ()),
            *({"turn"} if not any(row["owners"] for row in self.rows.values()) else ()),
            *({"rescue"} if not any(self.stands(lapsed.attempt) for lapsed, _ in self.seen) else ()),
            *({"go_on", "die"} if not self.under_way else ()),
        }
        acts = {name: weight for name, weight in ACTS.items() if name not in idle}
        [step] = chance.choices(list(acts), list(acts.values()))
        note(f"{step}:")
        getattr(self, step)(chance)
        if self.late and chance.random() < 0.2:
            self.come_late(chance)

    @property
    def under_way(self) -> list[Origin]:
        """The senders that have not finished."""
        return [sender for sender in self.ledger.senders if not sender.done]

    @property
    def late(self) -> list[Origin]:
        """The senders whose hold is over."""
        return [sender for sender in self.ledger.senders if self.ledger.rules.get(sender.id) is not sender]

    def give_back(self, chance: Random) -> None:
        """Release: a start was refused, the gate is closed, or the worker stops."""
        self.release(self.draw_attempts(chance))

    def hold(self, chance: Random) -> None:
        """Take the sole right to send a row that nobody is sending."""
        attempts, with_lapsed = self.draw_attempts(chance), chance.random() < 0.8
        found = self.run(hold(self.engine, attempts, deadline=DEADLINE, with_lapsed=with_lapsed))
        self.arrive(
            attempts,
            {held.hold.notification_id for held in found.held},
            lambda row: at_rest(row) and (with_lapsed or (row["send_until"] is None and row["lapses"] == 0)),
        )
        for held in found.held:
            before = self.rows[held.hold.notification_id]
            lapsed = before["send_until"] is not None
            assert held.lapses == before["lapses"] + lapsed
            assert held.unknown_outcomes == before["unknown_outcomes"] + lapsed
            self.ledger.give(held.hold, held)

    def lose_contact(self, chance: Random) -> None:
        """Record lost contact for attempts that nobody is sending."""
        attempts, counted = self.draw_attempts(chance), chance.random() < 0.5
        lost = [LostAttempt(attempt, WAIT, counted=counted, died=counted) for attempt in attempts]
        moved = self.written(
            self.run(by_claim.record_lost_contact(self.engine, lost, error=ERROR, max_failures=MAX_FAILURES))
        )
        self.arrive(attempts, moved, at_rest)
        self.ledger.take(moved)

    def go_on(self, chance: Random) -> None:
        """Take a sender's next step: call Novu, record the answer to a chunk, or record the end."""
        senders = self.under_way
        sender = newest(chance, senders)
        if sender.chunk is not None and sender.answer is not None:
            self.record_answer(sender, sender.chunk, sender.answer)
        elif sender.answer is not None or sender.over or chance.random() < 0.2:
            self.record(sender, chance)
        elif sender.live(self.now):
            # Once its hold is over, the deadline of the call is over too.
            answer = chance.choice([Answer.ACCEPTED, Answer.ACCEPTED, Answer.UNKNOWN, *Answer])
            accepted = answer is Answer.ACCEPTED or (answer is Answer.UNKNOWN and chance.random() < 0.5)
            self.call(sender, answer, taken=accepted)

    def die(self, chance: Random) -> None:
        """Stop a sender without another record."""
        newest(chance, self.under_way).done = True

    def call(self, sender: Origin, answer: Answer, *, taken: bool) -> None:
        """Call Novu, for a chunk if the notification is large; without an answer only Novu knows the outcome."""
        name = sender.held.transaction_id
        if len(sender.held.recipients) > RECIPIENTS_PER_CHUNK:
            chunks = self.create_chunks(sender)
            left = [chunk for chunk in chunks if chunk.outcome not in {"accepted", "refused"}]
            if not left:
                refused = any(chunk.outcome == "refused" for chunk in chunks)
                sender.answer = Answer.REJECTED if refused else Answer.ACCEPTED
                return
            sender.chunk = left[0]
            name = left[0].transaction_id
        self.ledger.call(sender, name, answer, taken=taken)

    def create_chunks(self, sender: Origin) -> list[Chunk]:
        """Create the chunks of a large notification, or find them; a late sender gets none."""
        chunks = self.run(
            by_chunk.create_chunks(self.engine, sender.hold, split_recipients(tuple(sender.held.recipients)))
        )
        stands = self.ledger.rules.get(sender.id) is sender
        assert len(chunks) == (2 if stands else 0)
        if len(self.rows[sender.id]["outcomes"]) < len(chunks):
            self.changed.add(sender.id)
        return chunks

    def record_answer(self, sender: Origin, chunk: Chunk, answer: Answer) -> None:
        """Record the answer to a chunk, and keep the hold for the next."""
        renewed = self.run(
            by_chunk.record_chunk_answer(
                self.engine,
                sender.hold,
                chunk,
                outcome=WORDS.get(answer),
                error=None if answer is Answer.ACCEPTED else ERROR,
                refused=answer in {Answer.REJECTED, Answer.THROTTLED},
                deadline=DEADLINE,
            )
        )
        sender.done = True
        assert (renewed is not None) == (self.ledger.rules.get(sender.id) is sender)
        if renewed is not None:
            goes_on = answer in {Answer.ACCEPTED, Answer.REJECTED}
            self.ledger.give(renewed, sender.held, None if goes_on else answer)
            self.changed.add(sender.id)

    def record(self, sender: Origin, chance: Random) -> None:
        """Record truthfully how a send ended, by one of the fitting arrows."""
        stands = self.ledger.rules.get(sender.id) is sender
        name = chance.choice(self.fitting(sender))
        moved = self.written(self.run(write(self.engine, name, sender)))
        assert moved == ({sender.id} if stands else set())
        self.changed |= moved
        self.ledger.take(moved)
        self.ledger.recorded |= moved if sender.answer is not Answer.UNKNOWN else set()
        sender.done = True

    def fitting(self, sender: Origin) -> list[str]:
        """Return the names of the records that are true for what a sender has seen."""
        if sender.answer is None and sender.over:
            return ["retracted" if self.certain(sender) else "retracted, in doubt", "failed"]
        return FITTING[sender.answer]

    def certain(self, sender: Origin) -> bool:
        """Return whether a sender that must withdraw knows that Novu has accepted nothing."""
        doubt = sender.held.unknown_outcomes > 0
        if len(sender.held.recipients) <= RECIPIENTS_PER_CHUNK:
            return not doubt
        outcomes = [chunk.outcome for chunk in self.create_chunks(sender)]
        return not any(
            outcome in {"accepted", "unknown"} or (doubt and outcome is None) for outcome in outcomes
        )

    def come_late(self, chance: Random) -> None:
        """Try records with a hold that is over: none changes anything."""
        alive = [late for late in self.late if self.rows[late.id]["status"] == Status.PROCESSING]
        sender, engine = newest(chance, alive or self.late), self.engine
        right = sender.hold
        for name in chance.sample(list(RECORDS), 5):
            assert self.run(write(engine, name, sender)) == {}
        assert self.run(by_chunk.create_chunks(engine, right, [("", ["s-0"])])) == []
        late_answer = by_chunk.record_chunk_answer(
            engine, right, UNANSWERED, outcome="accepted", error=None, refused=False, deadline=DEADLINE
        )
        assert self.run(late_answer) is None


def test_every_promise_holds_in_any_order(database: str) -> None:
    """Two pollers, their rescuers, executors and producers run, with every right that was ever given out."""
    with a_ground(database) as ground:

        class AnyOrder(ByExecutors):
            def __init__(self) -> None:
                super().__init__(ground)

        # Hypothesis also tries the constants of all modules that are loaded, so the orders depend on the other tests.
        for number in range(MOST_SEEDS):
            if ground.moves != LAWFUL_MOVES:
                run_state_machine_as_test(seed(number)(AnyOrder), settings=ORDERS)

    assert ground.moves == LAWFUL_MOVES
