from pathlib import Path

from xnovu_poller.dev.standin.ledger import AcceptedTrigger, Ledger, State

EVENT = {"name": "welcome", "to": "s-1", "payload": {"xnovu": {"enterprise_id": "acme"}}}


def accept(ledger: Ledger, transaction_id: str, *subscribers: str) -> AcceptedTrigger:
    """Accept a trigger and deliver it."""
    trigger = ledger.accept(EVENT, transaction_id, "acme", ("email",))
    ledger.settle(trigger, State.DELIVERED, subscribers)
    return trigger


def test_a_subscriber_reached_twice_by_one_transaction_is_a_duplicate() -> None:
    """The same subscriber in two transactions is no duplicate."""
    ledger = Ledger()
    accept(ledger, "t-1", "s-1", "s-2")
    accept(ledger, "t-2", "s-1")
    assert ledger.tallies()["duplicates"] == 0
    accept(ledger, "t-1", "s-1")
    assert ledger.tallies()["duplicates"] == 1
    assert ledger.tallies()["deliveries"] == 4


def test_a_trigger_that_reached_nobody_leaves_no_jobs() -> None:
    """Its repeat is not dropped, unlike the repeat of a trigger that was delivered or is delayed."""
    ledger = Ledger()
    ledger.settle(ledger.accept(EVENT, "t-1", "acme", ()), State.NOBODY)
    ledger.settle(ledger.accept(EVENT, "t-2", "acme", ()), State.DELAYED)
    assert [ledger.is_repeat(name) for name in ("t-1", "t-2", "t-3")] == [False, True, False]


def test_arrival_times_are_wall_clock_milliseconds() -> None:
    """They are cut off, not rounded."""
    trigger = accept(Ledger(clock=lambda: 1700000000.1239), "t-1", "s-1")
    assert (trigger.arrived_ms, trigger.delivered_ms) == (1700000000123, 1700000000123)


def test_triggers_can_be_filtered() -> None:
    """Transaction, workflow and enterprise all have to fit."""
    ledger = Ledger()
    accept(ledger, "t-1", "s-1")
    accept(ledger, "t-2", "s-1")
    assert [trigger.number for trigger in ledger.triggers(transaction_id="t-2", workflow=None)] == [2]
    assert ledger.triggers(transaction_id="t-2", enterprise="other") == []


def test_a_ledger_is_restored_from_its_file(tmp_path: Path) -> None:
    """The last line of a trigger counts."""
    path = tmp_path / "ledger.jsonl"
    ledger = Ledger(path)
    accept(ledger, "t-1", "s-1")
    waiting = ledger.accept(EVENT, "t-2", "acme", ())
    ledger.settle(waiting, State.DELAYED)
    ledger.settle(waiting, State.CANCELLED)
    ledger.close()
    again = Ledger(path)
    assert again.triggers() == ledger.triggers()
    assert [trigger.state for trigger in again.triggers()] == [State.DELIVERED, State.CANCELLED]
    assert again.is_repeat("t-1")
    again.close()


def test_a_line_cut_off_by_a_kill_is_ignored(tmp_path: Path) -> None:
    """The lines that are written after it can be read."""
    path = tmp_path / "ledger.jsonl"
    ledger = Ledger(path)
    accept(ledger, "t-1", "s-1")
    ledger.close()
    path.write_bytes(path.read_bytes() + b'{"number": 2, "arri')
    repaired = Ledger(path)
    accept(repaired, "t-2", "s-1")
    repaired.close()
    last = Ledger(path)
    assert [trigger.transaction_id for trigger in last.triggers()] == ["t-1", "t-2"]
    last.close()


def test_clearing_empties_the_file(tmp_path: Path) -> None:
    """Only later triggers are restored."""
    path = tmp_path / "ledger.jsonl"
    ledger = Ledger(path)
    accept(ledger, "t-1", "s-1")
    ledger.clear()
    accept(ledger, "t-2", "s-1")
    ledger.close()
    again = Ledger(path)
    assert [trigger.transaction_id for trigger in again.triggers()] == ["t-2"]
    again.close()
