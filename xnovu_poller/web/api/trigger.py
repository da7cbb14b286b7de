"""`POST /api/trigger`, as the earlier system had it: one notification, by the names of Novu."""

from http import HTTPStatus
from typing import Literal, Self

from pydantic import Field, TypeAdapter, model_validator

from xnovu_poller.store.api_keys import Scope
from xnovu_poller.store.notifications import by_api
from xnovu_poller.web.api.notifications import refusal
from xnovu_poller.web.api.operation import Answer, Call, Operation, Shape
from xnovu_poller.web.api.problems import Broken, Fault, Problem
from xnovu_poller.web.api.shapes import Id, Key, SubscriberId, Unkept


class Trigger(Shape):
    """A notification to one subscriber or to several."""

    workflowId: Key = Field(description="the key of the workflow")  # noqa: N815 - a name of the earlier system
    enterpriseId: Key | None = Field(default=None, description="that of the key, if it is given")  # noqa: N815 - likewise
    payload: Unkept | None = None
    subscriberId: SubscriberId | None = Field(default=None, description="or `subscriberIds`")  # noqa: N815 - likewise
    subscriberIds: list[SubscriberId] | None = Field(default=None, min_length=1, max_length=10_000)  # noqa: N815 - likewise

    @model_validator(mode="after")
    def _check_subscribers(self) -> Self:
        if (self.subscriberId is None) == (self.subscriberIds is None):
            raise ValueError("must have subscriberId or subscriberIds, and not both")
        return self


class Triggered(Shape):
    """A notification that was inserted, or was there before under its key."""

    success: Literal[True] = True
    notificationId: Id  # noqa: N815 - a name of the earlier system
    created: bool = Field(description="false: it was there before under its Idempotency-Key")


async def trigger(call: Call) -> Answer:
    """Insert one notification.

    Raises:
        Problem: the key acts for another enterprise, or the database refuses the notification.
        StoreUnavailable: it may or may not have been inserted.
    """
    if call.body.enterpriseId not in {None, call.caller.enterprise_id}:
        # The same whether there is such an enterprise or not.
        raise Problem(
            Fault.FORBIDDEN,
            "the key acts for another enterprise",
            [Broken("#/enterpriseId", "is not that of the key")],
        )
    made = await by_api.trigger(call.parts.engine, call.caller.enterprise_id, call.raw, call.idempotency_key)
    if isinstance(made, by_api.Refused):
        raise refusal(made, is_list=False, names=_NAMES)
    status = HTTPStatus.CREATED if made.is_new else HTTPStatus.OK
    return Answer(
        Triggered.model_construct(success=True, notificationId=made.id, created=made.is_new), status
    )


_NAMES = {"workflow_key": "workflowId", "recipients": "subscriberIds"}

OPERATIONS = (
    Operation(
        method="POST",
        path="/api/trigger",
        scope=Scope.SEND,
        summary="Send a notification, by the names of the earlier system",
        handler=trigger,
        body=TypeAdapter(Trigger),
        answers={201: ("Inserted", Triggered), 200: ("It was there before, under its key", Triggered)},
        faults=(Fault.CONFLICT,),
        is_idempotent=True,
    ),
)
