"""What the soak tells the Novu stand-in beyond what the demo does."""

from xnovu_poller.dev.demo.standin import StandIn


class StrikableStandIn(StandIn):
    """A client of the stand-in that can have it misbehave.

    Every call raises ServerFailed if the stand-in does not answer, or refuses.
    """

    def misbehave(self, **line: object) -> None:
        """Add a line to its script, as `standin.faults.Fault` describes it."""
        self._call("POST", "/_standin/faults", line)

    def behave(self) -> None:
        """Drop the script, and end every call that hangs."""
        self._call("DELETE", "/_standin/faults")

    def heed_idempotency_keys(self) -> None:
        """Store each answer under its `Idempotency-Key`, errors too, as Novu's cloud does."""
        self._call("PATCH", "/_standin/switches", {"idempotency": True})

    def stats(self) -> dict[str, int]:
        """Give its counts of calls, accepted triggers, replayed answers and so on."""
        counts: dict[str, int] = self._call("GET", "/_standin/stats").json()
        return counts
