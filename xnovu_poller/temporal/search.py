"""The search attributes by which people find runs in Temporal. Without them everything works, but runs cannot be found."""

from collections.abc import Mapping
from datetime import timedelta

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.service import RPCError, RPCStatusCode

from xnovu_poller import log
from xnovu_poller.temporal import contract
from xnovu_poller.temporal.translate import translate_rpc_error

_log = log.get(__name__)
_TIMEOUT = timedelta(seconds=5)


_KEYWORD = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
_WANTED = [key.name for key in contract.SEARCH_ATTRIBUTES]


async def find_unfit(client: Client) -> dict[str, bool]:
    """Return the search attributes that the namespace lacks (False), or has with another type (True).

    Raises:
        TemporalError: no answer, or Temporal does not allow it.
    """
    try:
        known = await _list_known(client)
    except RPCError as error:
        raise translate_rpc_error(error, client.namespace) from error
    return {name: name in known for name in _WANTED if known.get(name) != _KEYWORD}


async def _list_known(client: Client) -> Mapping[str, int]:
    found = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace), timeout=_TIMEOUT
    )
    return found.custom_attributes


async def register(client: Client) -> bool:
    """Register the search attributes that are missing.

    Returns:
        Whether all exist now. Where registering is not allowed, runs start without them.
    """
    try:
        await add_missing(client)
    except RPCError as error:
        _log.warning("search attributes not registered", reason=_describe(error), wanted=sorted(_WANTED))
        return False
    return True


async def add_missing(client: Client) -> list[str]:
    """Register the search attributes that are missing, and return them.

    Raises:
        RPCError: no answer, or Temporal does not allow it.
    """
    known = await _list_known(client)
    missing = {name: _KEYWORD for name in _WANTED if name not in known}
    if missing:
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=client.namespace, search_attributes=missing),
            timeout=_TIMEOUT,
        )
    return list(missing)


def _describe(error: RPCError) -> str:
    """Return why they could not be registered; the server's message contains only names of attributes and namespaces."""
    reason = f"{error.status.name}: {error.message[:300]}"
    if error.status is RPCStatusCode.INVALID_ARGUMENT and "more than" in error.message:
        return f"the namespace's limit is used up; remove attributes that nobody needs ({reason})"
    return reason


class SearchAttributes:
    """The search attributes of new runs: all that have a value, or none once the namespace has refused them.

    Args:
        registered: whether the namespace has them.
    """

    def __init__(self, *, registered: bool) -> None:
        self.registered = registered

    def build(self, values: Mapping[SearchAttributeKey[str], str | None]) -> TypedSearchAttributes:
        """Return the attributes of a run; a value of None is left out."""
        if not self.registered:
            return TypedSearchAttributes.empty
        return TypedSearchAttributes(
            [SearchAttributePair(key, value) for key, value in values.items() if value is not None]
        )

    def give_up_if_refused(self, error: RPCError) -> bool:
        """Give the attributes up if Temporal refused a call because of them; return whether it did.

        The namespace may have been created anew without them, and a run that cannot be found is better than none.
        The message must name one of them: other invalid arguments are no reason to give them up. Of several calls
        under way, each that carried the attributes may fail, so the answer is true even if they are given up already.
        """
        is_refused = error.status is RPCStatusCode.INVALID_ARGUMENT and any(
            key.name in error.message for key in contract.SEARCH_ATTRIBUTES
        )
        if is_refused and self.registered:
            self.registered = False
            _log.warning("search attributes given up", until="the next start of this worker")
        return is_refused
