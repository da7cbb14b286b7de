"""A layer between a client and Temporal: the SDK's interceptors let something happen before a call."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

from temporalio.client import (
    Client,
    CreateScheduleInput,
    DeleteScheduleInput,
    Interceptor,
    ListSchedulesInput,
    OutboundInterceptor,
    ScheduleAsyncIterator,
    ScheduleHandle,
    ScheduleListDescription,
    UpdateScheduleInput,
)
from typing_extensions import override

Meeting = Callable[[str, str], Awaitable[None]]
"""Gets the call (`create`, `update`, `delete` or `list`) and the schedule's id; may raise a network error."""


async def nothing(_call: str, _schedule: str) -> None:
    """Let a call pass."""


class Wire(Interceptor):
    """The connection to Temporal.

    Attributes:
        meets: called before each call on schedules.
        lagging: the outdated list of the visibility store; None: the real list.
    """

    def __init__(self) -> None:
        self.meets: Meeting = nothing
        self.lagging: Sequence[ScheduleListDescription] | None = None

    @override
    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        return _Calls(next, self)

    def joined(self, client: Client) -> Client:
        """Return a client of the same connection whose calls pass through here."""
        return Client(client.service_client, namespace=client.namespace, interceptors=[self])


class _Calls(OutboundInterceptor):
    def __init__(self, next: OutboundInterceptor, wire: Wire) -> None:  # noqa: A002 - the SDK's word
        super().__init__(next)
        self._wire = wire

    @override
    async def create_schedule(self, input: CreateScheduleInput) -> ScheduleHandle:
        await self._wire.meets("create", input.id)
        return await super().create_schedule(input)

    @override
    async def update_schedule(self, input: UpdateScheduleInput) -> None:
        await self._wire.meets("update", input.id)
        await super().update_schedule(input)

    @override
    async def delete_schedule(self, input: DeleteScheduleInput) -> None:
        await self._wire.meets("delete", input.id)
        await super().delete_schedule(input)

    @override
    def list_schedules(self, input: ListSchedulesInput) -> ScheduleAsyncIterator:
        if self._wire.lagging is not None:
            return cast(ScheduleAsyncIterator, _Listed(self._wire.lagging))
        return super().list_schedules(input)


class _Listed:
    """Yields the given descriptions one by one."""

    def __init__(self, found: Sequence[ScheduleListDescription]) -> None:
        self._found = iter(found)

    def __aiter__(self) -> "_Listed":
        return self

    async def __anext__(self) -> Any:  # noqa: ANN401 - the SDK's description
        for description in self._found:
            return description
        raise StopAsyncIteration
