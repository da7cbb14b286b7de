"""What a subscriber sees of a trigger, by channel."""

from collections.abc import Mapping, Sequence

from xnovu_poller.dev.standin.calls import Json
from xnovu_poller.dev.standin.ledger import AcceptedTrigger
from xnovu_poller.dev.standin.shapes import read_rendered
from xnovu_poller.dev.standin.workflow_routes import SHOWN, Step


def show(
    trigger: AcceptedTrigger, event: Mapping[str, Json], subscriber: Mapping[str, Json]
) -> dict[str, Json]:
    """Return the texts of each channel: as the steps show them, or if the workflow has none, as the payload holds them.

    Args:
        trigger: an accepted trigger.
        event: its body.
        subscriber: the profile of one of its subscribers.
    """
    if not trigger.steps:
        return read_rendered(event)
    values = {"payload": event.get("payload") or {}, "subscriber": subscriber}
    return {step.type: step.texts(values) for step in list_running(trigger.steps, values)}


def list_running(steps: Sequence[Step], values: Json) -> list[Step]:
    """Return the steps that send something to the subscriber."""
    return [step for step in steps if step.type in SHOWN and step.runs(values)]
