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
