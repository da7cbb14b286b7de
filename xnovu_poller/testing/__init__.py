"""For the tests of applications: what would have been enqueued, and what their transaction has enqueued.

`recorded` needs no database. `enqueued` reads real rows, which are rolled back with the transaction of the test.
"""

from xnovu_poller.testing.recorder import Recorder, recorded
from xnovu_poller.testing.rows import enqueued, enqueued_async

__all__ = ["Recorder", "enqueued", "enqueued_async", "recorded"]
