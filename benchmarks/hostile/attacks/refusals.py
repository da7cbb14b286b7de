"""Rows that a gateway before Novu refuses, because of their weight, their words or for no reason."""

from benchmarks.chaos.standin import StrikableStandIn
from benchmarks.hostile.attacks.attack import ATTACKER, Attack, Report, Target, enqueue, login, repeat

PAGE = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center><hr>nginx</body></html>"


def _refused(target: Target, until: float, report: Report, *, workflow: str, status: int, title: str) -> None:
    """Send rows that meet a gateway's page; the gateway lets all others pass."""
    with StrikableStandIn(target.standin, target.standin_key) as standin:
        standin.misbehave(
            kind="status",
            status=status,
            cached=False,
            times=None,
            body=PAGE.format(f"{status} {title}"),
            match={"enterprise": ATTACKER, "workflow": workflow},
        )
    with login(target.producer) as connection:
        for number in repeat(until, 0.2):
            enqueue(report, connection, workflow, number, text="x' UNION SELECT <script>")


def too_large(target: Target, until: float, report: Report) -> None:
    """Meet nginx's 413."""
    _refused(target, until, report, workflow="a-413", status=413, title="Request Entity Too Large")


def forbidden(target: Target, until: float, report: Report) -> None:
    """Meet a firewall's 403."""
    _refused(target, until, report, workflow="a-403", status=403, title="Forbidden")


def bad_gateway(target: Target, until: float, report: Report) -> None:
    """Meet a gateway's 502 each time."""
    _refused(target, until, report, workflow="a-502", status=502, title="Bad Gateway")


ATTACKS = (
    Attack("rows that a proxy answers with an HTML 413", too_large),
    Attack("rows that a firewall answers with an HTML 403", forbidden),
    Attack("rows that always meet 502", bad_gateway),
)
