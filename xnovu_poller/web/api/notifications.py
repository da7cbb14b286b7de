"""The operations on notifications: send, list, show, retract and revive."""

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus

from pydantic import TypeAdapter

from xnovu_poller.lifecycle import Status
from xnovu_poller.store.api_keys import Scope
from xnovu_poller.store.notifications import by_api, listing
from xnovu_poller.store.notifications.filters import Filters
from xnovu_poller.story import Story, read_story
from xnovu_poller.web.api.operation import Answer, Call, Operation
from xnovu_poller.web.api.problems import Broken, Fault, Problem
from xnovu_poller.web.api.shapes import (
    Coming,
    Filter,
    Listed,
    Listing,
    Made,
    MadeMany,
    NewNotification,
    NewNotifications,
    Retraction,
    State,
    StoryLine,
    StoryOf,
)


async def send_notifications(call: Call) -> Answer:
    """Insert one notification, or all of a list.

    Raises:
        Problem: the database refuses one of them; none was inserted.
        StoreUnavailable: they may or may not have been inserted.
    """
    is_list = isinstance(call.body, list)
    key = call.idempotency_key
    if key is not None and is_list:
        raise Problem(
            Fault.INVALID,
            "a list has no Idempotency-Key: give each of its notifications its dedup_key",
            code="idempotency_key_of_list",
        )
    if key is not None and call.body.dedup_key not in {None, key}:
        raise Problem(
            Fault.INVALID, "Idempotency-Key and dedup_key differ", [Broken("#/dedup_key", "differs")]
        )
    document = call.raw if is_list else f"[{call.raw}]"
    made = await by_api.enqueue_many(call.parts.engine, call.caller.enterprise_id, document, key)
    if isinstance(made, by_api.Refused):
        raise refusal(made, is_list=is_list)
    status = HTTPStatus.CREATED if any(each.is_new for each in made) else HTTPStatus.OK
    answers = [Made.model_construct(id=each.id, created=each.is_new) for each in made]
    if is_list:
        return Answer(MadeMany.model_construct(notifications=answers), status)
    return Answer(answers[0], status, {"Location": f"/api/notifications/{answers[0].id}"})


_FIELDS = {
    "dedup": "dedup_key",
    "enterprise": "",
    "on_duplicate": "",
}
"""The members that the rules of the database name in another way."""


def refusal(refused: by_api.Refused, *, is_list: bool, names: Mapping[str, str] | None = None) -> Problem:
    """Return the problem of a list that the database refuses.

    Args:
        names: of members that the operation names in its own way.
    """
    sentence = refused.sentence.removesuffix(f" ({refused.rule})")
    sentence = ". ".join(part for part in (sentence, refused.advice) if part)
    if refused.place is None:
        return Problem(Fault.INVALID, sentence, code="unstorable")
    name = (
        refused.rule.removeprefix("ent_notification_").removesuffix("_check")
        if refused.rule
        else "workflow_key"
    )
    name = _FIELDS.get(name, name)
    name = (names or {}).get(name, name)
    pointer = "/".join(part for part in ("#", str(refused.place) if is_list else "", name) if part)
    fault = Fault.CONFLICT if refused.is_conflict else Fault.INVALID
    code = "dedup_key_taken" if refused.is_conflict else "" if refused.rule else "workflow_unknown"
    return Problem(fault, sentence, [Broken(pointer, sentence)], code=code)


async def list_notifications(call: Call) -> Answer:
    """List notifications, the newest first.

    Raises:
        Problem: the cursor is not ours.
        StoreUnavailable: PostgreSQL does not answer.
    """
    asked: Filter = call.query
    filters = Filters(
        enterprise=call.caller.enterprise_id,
        states=tuple(state for state in Status if state in asked.state),
        code=asked.code,
        workflow=asked.workflow,
        rule=asked.rule,
        tag=asked.tag,
        since=asked.since,
        until=asked.until,
        recipient=asked.recipient,
    )
    after = None if asked.cursor is None else _read_cursor(asked.cursor)
    found = await listing.list_page(call.tenant, filters, asked.limit, after)
    return Answer(
        Listing.model_construct(
            notifications=[
                Listed.model_construct(
                    id=each.id,
                    created_at=each.created_at,
                    workflow_key=each.workflow_key,
                    status=each.status,
                    recipient=each.recipient,
                    recipient_count=each.recipient_count,
                    code=each.code,
                    message=each.message,
                )
                for each in found.notifications
            ],
            cursor=None if found.after is None else f"{found.after.created_at.isoformat()},{found.after.id}",
        )
    )


def _read_cursor(cursor: str) -> listing.Position:
    at, _, id_ = cursor.rpartition(",")
    try:
        position = listing.Position(datetime.fromisoformat(at), int(id_))
    except ValueError:
        position = None
    if position is None or position.created_at.tzinfo is None or not 0 <= position.id < 2**63:
        raise Problem(Fault.INVALID, errors=[Broken("cursor", "is not from a list")])
    return position


async def show_notification(call: Call) -> Answer:
    """Show what became of a notification, why, and what comes next.

    Raises:
        Problem: the enterprise has no such notification.
        StoreUnavailable: PostgreSQL does not answer.
    """
    story = await read_story(call.tenant, call.id, call.parts.sources)
    if story is None:
        raise missing()
    return Answer(_without_internals(story))


def missing() -> Problem:
    """Return the problem of an id that the enterprise does not have, whether another has it or not."""
    return Problem(Fault.NOT_FOUND, "your enterprise has no notification of this id")


def _without_internals(story: Story) -> StoryOf:
    """Return the story without the operator's own affairs: processes, addresses, and why a server does not answer."""
    return StoryOf.model_construct(
        id=story.id,
        workflow_key=story.workflow_key,
        status=story.status,
        attempt=story.attempt,
        cause=story.cause,
        lines=[
            StoryLine.model_construct(at=line.at, source=line.source, text=line.text) for line in story.lines
        ],
        next=Coming.model_construct(text=story.next.text, at=story.next.at),
        unknown=[sentence.partition(": ")[0] for sentence in story.unknown],
        transaction_id=story.transaction_id,
    )


async def retract_notification(call: Call) -> Answer:
    """Withdraw a notification, so that it is not sent; of a notification that is SENT, Novu is asked to cancel the rest.

    Raises:
        Problem: the enterprise has no such notification, or it is DEAD, so there is nothing to withdraw.
        StoreUnavailable: it may or may not be retracted.
    """
    reason = "retracted" if call.body is None else call.body.reason
    status = await by_api.retract(call.tenant, call.id, reason, call.caller.actor)
    if status is None:
        raise missing()
    if status is Status.DEAD:
        raise Problem(
            Fault.CONFLICT, "it is DEAD: it had been given up, and nobody sends it", code="wrong_state"
        )
    is_done = status is Status.RETRACTED
    return Answer(
        State.model_construct(id=call.id, status=status), HTTPStatus.OK if is_done else HTTPStatus.ACCEPTED
    )


async def revive_notification(call: Call) -> Answer:
    """Requeue a notification that is DEAD or RETRACTED.

    Raises:
        Problem: the enterprise has no such notification, or it is not one of these.
        StoreUnavailable: it may or may not be revived.
    """
    revived = await by_api.revive(call.tenant, call.id, call.caller.actor)
    if revived is None:
        raise missing()
    if revived.is_doubtful:
        raise Problem(
            Fault.CONFLICT,
            "Novu may have accepted it more than 25 days ago, so it could be sent twice; an operator can force it",
            code="doubtful",
        )
    if revived.status is not Status.PENDING:
        raise Problem(
            Fault.CONFLICT, f"it is {revived.status}, and neither DEAD nor RETRACTED", code="wrong_state"
        )
    return Answer(State.model_construct(id=call.id, status=revived.status))


_PATH = "/api/notifications"

OPERATIONS = (
    Operation(
        method="POST",
        path=_PATH,
        scope=Scope.SEND,
        summary="Send a notification, or up to 1,000",
        handler=send_notifications,
        body=TypeAdapter(NewNotification),
        list_body=TypeAdapter(NewNotifications),
        answers={
            201: ("Inserted; of a list, at least one of them", Made | MadeMany),
            200: ("All were there before, under their keys", Made | MadeMany),
        },
        faults=(Fault.CONFLICT,),
        is_idempotent=True,
    ),
    Operation(
        method="GET",
        path=_PATH,
        scope=Scope.READ,
        summary="List notifications",
        handler=list_notifications,
        query=Filter,
        answers={200: ("A part of the list", Listing)},
    ),
    Operation(
        method="GET",
        path=f"{_PATH}/{{id}}",
        scope=Scope.READ,
        summary="Show what became of a notification, and why",
        handler=show_notification,
        answers={200: ("Its story", StoryOf)},
        faults=(Fault.NOT_FOUND,),
    ),
    Operation(
        method="POST",
        path=f"{_PATH}/{{id}}/retract",
        scope=Scope.OPERATE,
        summary="Withdraw a notification",
        handler=retract_notification,
        body=TypeAdapter(Retraction | None),
        answers={
            200: ("It is RETRACTED", State),
            202: (
                "A send under way decides; if it is SENT, Novu is asked to cancel what it still delays",
                State,
            ),
        },
        faults=(Fault.NOT_FOUND, Fault.CONFLICT),
    ),
    Operation(
        method="POST",
        path=f"{_PATH}/{{id}}/revive",
        scope=Scope.OPERATE,
        summary="Requeue a notification that is DEAD or RETRACTED",
        handler=revive_notification,
        answers={200: ("It is PENDING", State)},
        faults=(Fault.NOT_FOUND, Fault.CONFLICT),
    ),
)
