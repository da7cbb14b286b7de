"""Spans of notifications, without OpenTelemetry."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from xnovu_poller import tracing
from xnovu_poller.tracing import Traced, Tracing

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@dataclass
class Noted:
    """A span that remembers what happened to it."""

    name: str
    noted: list[object] = field(default_factory=list)
    children: list["Noted"] = field(default_factory=list)

    def begin_child(self, name: str) -> "Noted":
        """Begin a child."""
        self.children.append(Noted(name))
        return self.children[-1]

    def settle(self, outcome: str, *, failed: bool) -> None:
        """Note it."""
        self.noted.append((outcome, failed))

    def end(self) -> None:
        """Note it."""
        self.noted.append("end")


def notification(payload: str = "{}") -> Traced:
    """Return a notification with a payload."""
    return Traced("xn-1", payload.encode(), {"notification": 1})


@pytest.mark.parametrize(
    ("payload", "found"),
    [
        (f'{{"a": 1, "xnovu_trace": {{"traceparent": "{PARENT}"}}}}', PARENT),
        (f'{{"xnovu_trace": {{"a": "b", "traceparent": "{PARENT}"}}}}', PARENT),
        (f'{{"xnovu_trace": {{"traceparent": "{PARENT.replace("00-", "01-", 1)}"}}}}', None),
        (f'{{"xnovu_trace": {{"traceparent": "{PARENT}-more"}}}}', None),
        (f'{{"xnovu_trace": {{"traceparent": "{PARENT.upper()}"}}}}', None),
        (f'{{"xnovu_trace": {{"traceparent": "00-{"0" * 32}-b7ad6b7169203331-01"}}}}', None),
        (f'{{"xnovu_trace": "{PARENT}"}}', None),
        (f'{{"traceparent": "{PARENT}"}}', None),
    ],
)
def test_only_a_traceparent_of_the_standard_is_taken(payload: str, found: str | None) -> None:
    """Anything else is ignored, and the notification has a trace of its own."""
    parents: list[str | None] = []

    def begin(parent: str | None, _facts: Mapping[str, object]) -> Noted:
        parents.append(parent)
        return Noted("root")

    made = Tracing()
    made.use(begin)
    with made.deliver([notification(payload)]):
        pass

    assert parents == [found]


def test_a_stage_is_below_its_notification_and_both_end() -> None:
    """Also if the block fails; an outcome other than accepted is a failure."""
    root = Noted("root")
    made = Tracing()
    made.use(lambda _parent, _facts: root)
    with suppress(ZeroDivisionError), made.deliver([notification()]):
        with made.stage("call Novu", ["xn-1", "xn-unknown"]) as outcomes:
            outcomes["xn-1"] = "rejected"
        made.settle("xn-1", "dead", failed=True)
        made.settle("xn-unknown", "dead", failed=True)
        raise ZeroDivisionError

    [child] = root.children
    assert (child.name, child.noted) == ("call Novu", [("rejected", True), "end"])
    assert root.noted == [("dead", True), "end"]


def test_without_a_reader_nothing_is_put_together() -> None:
    """The generators are not run."""

    def never() -> Iterator[Traced]:
        yield notification(str(1 / 0))

    made = Tracing()
    with made.deliver(never()), made.stage("record", (each.transaction_id for each in never())):
        made.settle("xn-1", "sent", failed=False)


def test_without_the_extra_a_warning_has_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable may be there for other programs, so the worker starts all the same."""

    def fail(_name: str) -> None:
        raise ImportError

    monkeypatch.setattr(tracing, "import_module", fail)

    assert Tracing().start() is None
