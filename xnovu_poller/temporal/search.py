"""The search attributes by which people find runs in Temporal; a namespace without them works, unsearchably."""

from collections.abc import Mapping
from datetime import timedelta

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.service import RPCError, RPCStatusCode

from xnovu_poller import log
from xnovu_poller.temporal import contract

_log = log.get(__name__)
_TIMEOUT = timedelta(seconds=5)


async def register(client: Client) -> bool:
    """Register the search attributes that are missing.

    Returns:
        Whether all exist now. Where registering is not allowed, runs start without them.
    """
    wanted = {key.name: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD for key in contract.SEARCH_ATTRIBUTES}
    try:
        known = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace), timeout=_TIMEOUT
        )
        missing = {name: kind for name, kind in wanted.items() if name not in known.custom_attributes}
        if missing:
            await client.operator_service.add_search_attributes(
                AddSearchAttributesRequest(namespace=client.namespace, search_attributes=missing),
                timeout=_TIMEOUT,
            )
    except RPCError as error:
        _log.warning("search attributes not registered", reason=error.status.name, wanted=sorted(wanted))
        return False
    return True


class SearchAttributes:
    """The search attributes that new runs get: all, or none once the namespace has refused them.

    Args:
        registered: whether the namespace has them.
    """

    def __init__(self, *, registered: bool) -> None:
        self.registered = registered

    def of(self, values: Mapping[SearchAttributeKey[str], str | None]) -> TypedSearchAttributes:
        """Return the attributes that have a value; none where the namespace does not have them."""
        if not self.registered:
            return TypedSearchAttributes.empty
        return TypedSearchAttributes(
            [SearchAttributePair(key, value) for key, value in values.items() if value is not None]
        )

    def is_refused(self, error: RPCError) -> bool:
        """Return whether Temporal refused a call because of our search attributes, and then give them up.

        The namespace may have been created anew without them: an unsearchable run is better than none. Call this
        only for a call that carried attributes; others that carried them may fail after the first has given up.
        """
        names = {key.name for key in contract.SEARCH_ATTRIBUTES}
        refused = error.status is RPCStatusCode.INVALID_ARGUMENT and any(
            name in error.message for name in names
        )
        if refused and self.registered:
            self.registered = False
            _log.warning("search attributes given up", until="the next start of this worker")
        return refused
