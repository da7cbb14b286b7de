"""For applications: write a notification inside your own transaction, or over HTTP (`xnovu_poller.client.http`).

An import of this package loads nothing but Python's own modules and our errors.
"""

from xnovu_poller.client.database import enqueue, enqueue_all, enqueue_all_async, enqueue_async
from xnovu_poller.client.errors import (
    AccessRefused,
    ApiUnavailable,
    ClientError,
    DuplicateRefused,
    NotificationRefused,
    TransactionMissing,
    WorkflowUnknown,
)
from xnovu_poller.client.notification import Enqueued, Notification

__all__ = [
    "AccessRefused",
    "ApiUnavailable",
    "ClientError",
    "DuplicateRefused",
    "Enqueued",
    "Notification",
    "NotificationRefused",
    "TransactionMissing",
    "WorkflowUnknown",
    "enqueue",
    "enqueue_all",
    "enqueue_all_async",
    "enqueue_async",
]
