"""The client of the Novu stand-in, with the calls that only the soak needs."""

from xnovu_poller.dev.demo.standin import StandIn


class StrikableStandIn(StandIn):
    """A client that can make the stand-in misbehave.

    Every call raises ServerFailed if the stand-in does not answer or refuses.
    """

    def misbehave(self, **line: object) -> None:
        """Add a fault to its script, with the fields of `standin.faults.Fault`."""
        self._call("POST", "/_standin/faults", line)

    def behave(self) -> None:
        """Clear the script, and end every call that hangs."""
        self._call("DELETE", "/_standin/faults")

    def heed_idempotency_keys(self) -> None:
        """Store each answer under its `Idempotency-Key`, including errors, as Novu's cloud does."""
        self._call("PATCH", "/_standin/switches", {"idempotency": True})

    def stats(self) -> dict[str, int]:
        """Return its counts of calls, accepted triggers, replayed answers and so on."""
        counts: dict[str, int] = self._call("GET", "/_standin/stats").json()
        return counts
