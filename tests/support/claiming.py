"""A cursor for tests that claim without executors: its queue has room for all their rows."""

from xnovu_poller.store.notifications.claim import Cursor
from xnovu_poller.store.notifications.queue import Queue

WIDE = Cursor(queue=Queue(most=1_000_000))
"""With the queue of a worker, a claim would wait until the rows of the last are begun."""
