"""The operation on workflows: list those that the enterprise may use."""

from pydantic import Field

from xnovu_poller.lifecycle import Channel, CheckedStatus, WorkflowType
from xnovu_poller.store import own
from xnovu_poller.store.api_keys import Scope
from xnovu_poller.web.api.operation import Answer, Call, Operation, Shape
from xnovu_poller.web.api.paging import Page, cut
from xnovu_poller.web.api.shapes import Id


class Workflow(Shape):
    """A workflow that the enterprise may use."""

    id: Id
    workflow_key: str
    name: str
    type: WorkflowType
    channels: list[Channel]
    is_global: bool = Field(description="for all enterprises; the enterprise's own with the same key wins")
    active: bool = Field(description="published and not deactivated; notifications of others end DEAD")
    checked_status: CheckedStatus | None = Field(description="null: not checked since it changed")
    checked_error: str | None
    in_step: bool | None = Field(
        description="of an active DYNAMIC workflow: Novu has it with all its channels, as we last wrote it"
    )


class Workflows(Shape):
    """A part of the list, in the order of the ids."""

    workflows: list[Workflow]
    cursor: Id | None = Field(description="where the next part begins; null: this is the end")


async def list_workflows(call: Call) -> Answer:
    """List the workflows of the enterprise and the global workflows.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    page: Page = call.query
    rows, cursor = cut(await own.list_workflows(call.tenant, page.after, page.limit + 1), page)
    return Answer(
        Workflows.model_construct(
            workflows=[
                Workflow.model_construct(
                    id=each.id,
                    workflow_key=each.key,
                    name=each.name,
                    type=each.type,
                    channels=list(each.channels),
                    is_global=each.is_global,
                    active=each.active,
                    checked_status=each.checked_status,
                    checked_error=each.checked_error,
                    in_step=each.is_in_step,
                )
                for each in rows
            ],
            cursor=cursor,
        )
    )


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/workflows",
        scope=Scope.READ,
        summary="List workflows, and whether Novu has them",
        handler=list_workflows,
        query=Page,
        answers={200: ("A part of the list", Workflows)},
    ),
)
