"""How each fault is started and ended."""

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import psycopg

from benchmarks.chaos.replica import Replica
from benchmarks.chaos.schedule import Fault, Kind
from benchmarks.chaos.standin import StrikableStandIn
from xnovu_poller.dev.children import ServerFailed
from xnovu_poller.dev.postgres import Postgres
from xnovu_poller.dev.stack import Stack
from xnovu_poller.dev.temporal import Temporal

SCRIPT: Mapping[Kind, Mapping[str, object]] = MappingProxyType(
    {
        Kind.ACCEPT_THEN_HANG: {"kind": "accept_then_hang"},
        Kind.ACCEPT_THEN_RESET: {"kind": "accept_then_reset"},
        Kind.RESET_BEFORE_ACCEPT: {"kind": "reset_before_accept"},
        Kind.STATUS_500: {"kind": "status", "status": 500},
        Kind.STATUS_503: {"kind": "status", "status": 503},
        Kind.THROTTLED: {"kind": "throttle", "retry_after": 2},
        Kind.MALFORMED: {"kind": "malformed"},
        # Omit every event, so that the answers are empty.
        Kind.OMISSION: {"kind": "omit"},
        # Longer than our calls wait.
        Kind.SLOW: {"kind": "slow", "seconds": 3},
        # Keys are checked before stored answers. A single call, because it stops its replica for half a minute.
        Kind.WRONG_KEY: {"kind": "status", "status": 401, "cached": False, "times": 1},
    }
)
"""The scripts for the stand-in; without `times`, a fault lasts until `mend`."""

_CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
"""


@dataclass(frozen=True, slots=True)
class Strikes:
    """Starts and ends faults in a running system."""

    stack: Stack
    standin: StrikableStandIn
    replicas: Sequence[Replica]

    def strike(self, fault: Fault) -> None:
        """Start a fault.

        Raises:
            ServerFailed: the stand-in does not accept it.
        """
        replica = self.replicas[fault.replica]
        strikes: dict[Kind, Callable[[], object]] = {
            Kind.WORKER_KILLED: replica.kill,
            Kind.WORKER_TERMINATED: replica.terminate,
            Kind.WORKER_STALLED: replica.stall,
            Kind.POSTGRES_RESTARTED: self.stack.postgres.stop,
            Kind.BACKENDS_TERMINATED: self._cut,
            Kind.TEMPORAL_KILLED: self._kill_temporal,
        }
        if fault.kind in SCRIPT:
            self.standin.misbehave(**{"times": None, **SCRIPT[fault.kind]})
        else:
            strikes[fault.kind]()

    def mend(self, fault: Fault) -> None:
        """End a fault, unless it ended at once.

        Raises:
            ServerFailed: a server does not come back.
        """
        if fault.kind in SCRIPT:
            self.standin.behave()
        elif fault.kind is Kind.WORKER_STALLED:
            self.replicas[fault.replica].resume()
        elif fault.kind is Kind.POSTGRES_RESTARTED:
            _back(self.stack.postgres)
        elif fault.kind is Kind.TEMPORAL_KILLED:
            _back(self.stack.temporal)

    def _cut(self) -> None:
        with psycopg.connect(self.stack.owner_url, autocommit=True) as connection:
            connection.execute(_CUT)

    def _kill_temporal(self) -> None:
        os.kill(self.stack.temporal.pid, signal.SIGKILL)
        self.stack.temporal.stop()


def _back(server: Postgres | Temporal) -> None:
    """Start a server again on the same port."""
    port = server.port
    server.start()
    if server.port != port:
        raise ServerFailed(type(server).__name__, f"another program took port {port} while it was down")
