"""Prepare a namespace: it exists, keeps closed runs for long enough, and has our search attributes."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    RegisterNamespaceRequest,
    UpdateNamespaceRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from xnovu_poller.errors import TemporalError, TemporalRefused
from xnovu_poller.temporal import search
from xnovu_poller.temporal.client import Address, connect, connect_unproven
from xnovu_poller.temporal.namespace import LEAST_RETENTION, read_namespace
from xnovu_poller.temporal.translate import translate_rpc_error

_TIMEOUT = timedelta(seconds=10)
_KNOWN_SECONDS = 60
"""How long a server may take until all of its parts know a new namespace; a development server takes seconds."""

_CLOUD = (".tmprl.cloud", ".api.temporal.io")
"""How the hosts of Temporal Cloud end. Source: Temporal, "Namespace endpoints"."""

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Report:
    """The changes, and the steps that are left for a person.

    Attributes:
        done: a sentence for each change; empty if none was necessary.
        steps: commands for a person, each of which mends something.
        problems: sentences about what a command cannot mend.
    """

    done: list[str]
    steps: list[str]
    problems: list[str]


def is_cloud(target: str) -> bool:
    """Return whether an address is of Temporal Cloud, where namespaces are made by its own tools only."""
    return target.rpartition(":")[0].endswith(_CLOUD)


async def check(address: Address, retention: timedelta) -> Report:
    """Change nothing; return the steps that make a namespace of Temporal Cloud fit.

    Args:
        retention: of a namespace that has to be created or changed.
    """
    name, days = address.namespace, retention // timedelta(days=1)
    try:
        client = await connect(address)
        found = await read_namespace(client)
        unfit = await search.find_unfit(client)
    except TemporalRefused as error:
        bare, _, _ = name.partition(".")
        step = f"tcld namespace create --namespace {bare} --region REGION --retention-days {days} --ca-certificate-file FILE"
        return Report([], [step], [str(error)])
    except TemporalError as error:
        # No namespace helps where Temporal does not answer, or no TLS connection can be made.
        return Report([], [], [str(error)])
    steps = []
    if found.retention < LEAST_RETENTION:
        steps.append(f"tcld namespace retention set --namespace {name} --retention-days {days}")
    if missing := [attribute for attribute, is_there in unfit.items() if not is_there]:
        options = " ".join(f'--search-attribute "{attribute}=Keyword"' for attribute in missing)
        steps.append(f"tcld namespace search-attributes add --namespace {name} {options}")
    return Report([], steps, _name_other_types(unfit))


async def prepare(address: Address, retention: timedelta) -> Report:
    """Create and change what the namespace lacks; the report has no steps.

    If the process dies here, the next call does the rest.

    Args:
        retention: of a namespace that is created, or keeps closed runs for less than a day.

    Raises:
        TemporalError: no answer, or Temporal does not allow it.
    """
    client = await connect_unproven(address)
    name, days = address.namespace, retention // timedelta(days=1)
    done = []
    try:
        if await _register(client, retention):
            done.append(f"created the namespace {name}, which keeps closed runs for {days} days")
        found = await _once_known(lambda: _describe(client))
        if found < LEAST_RETENTION:
            request = UpdateNamespaceRequest(namespace=name)
            request.config.workflow_execution_retention_ttl.FromTimedelta(retention)
            await client.workflow_service.update_namespace(request, timeout=_TIMEOUT)
            done.append(f"the namespace {name} now keeps closed runs for {days} days")
        if added := await _once_known(lambda: search.add_missing(client)):
            done.append(f"registered the search attributes {', '.join(added)}")
    except RPCError as error:
        raise translate_rpc_error(error, name) from error
    return Report(done, [], _name_other_types(await search.find_unfit(client)))


async def _register(client: Client, retention: timedelta) -> bool:
    """Create the namespace; return False if it exists."""
    try:
        # Look first, because a login may read a namespace but not create one.
        await _describe(client)
    except RPCError as missing:
        if missing.status is not RPCStatusCode.NOT_FOUND:
            raise
    else:
        return False
    request = RegisterNamespaceRequest(namespace=client.namespace)
    request.workflow_execution_retention_period.FromTimedelta(retention)
    try:
        await client.workflow_service.register_namespace(request, timeout=_TIMEOUT)
    except RPCError as error:
        if error.status is not RPCStatusCode.ALREADY_EXISTS:
            raise
        return False
    return True


async def _describe(client: Client) -> timedelta:
    """Return how long the namespace keeps closed runs."""
    request = DescribeNamespaceRequest(namespace=client.namespace)
    found = await client.workflow_service.describe_namespace(request, timeout=_TIMEOUT)
    return timedelta(seconds=found.config.workflow_execution_retention_ttl.seconds)


async def _once_known(call: Callable[[], Awaitable[_Answer]]) -> _Answer:
    """Make a call, again and again while a part of the server does not know the namespace yet."""
    for _ in range(_KNOWN_SECONDS):
        try:
            return await call()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
        await asyncio.sleep(1)
    return await call()


def _name_other_types(unfit: dict[str, bool]) -> list[str]:
    other = ", ".join(name for name, is_there in unfit.items() if is_there)
    mend = "so runs start without any; remove them in Temporal, and run this command again"
    return [f"search attributes: {other} have another type than Keyword, {mend}"] if other else []
