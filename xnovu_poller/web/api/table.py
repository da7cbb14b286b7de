"""The table of all operations. A further operation is a line in the OPERATIONS of its subject's module."""

from xnovu_poller.web.api import notifications, rendering, rules, trigger, workflows
from xnovu_poller.web.api.operation import Operation

OPERATIONS: tuple[Operation, ...] = (
    *notifications.OPERATIONS,
    *workflows.OPERATIONS,
    *rules.OPERATIONS,
    *rendering.OPERATIONS,
    *trigger.OPERATIONS,
)
"""In the order of the documentation; those of one path stand together."""
