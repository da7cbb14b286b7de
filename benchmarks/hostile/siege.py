"""Start one worker, let two enterprises send, attack for a while in every way, and count."""

import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

import psycopg
from psycopg import sql

from benchmarks.chaos.replica import Replica
from benchmarks.chaos.standin import StrikableStandIn
from benchmarks.hostile.attacks import ATTACKS
from benchmarks.hostile.attacks.attack import ATTACKER, NICENESS, VICTIMS, Attack, Report, Target
from benchmarks.hostile.probe import Look, Probe
from benchmarks.hostile.victims import Sent, Victim, finish
from xnovu_poller.dev.stack import DATABASE, STANDIN_KEY, Stack
from xnovu_poller.errors import StoreUnavailable

WARM_UP_SECONDS = 8.0
DRAIN_SECONDS = 60.0
"""After the attacks: every notification of a victim must be sent long before this."""

OVERTIME_SECONDS = 5.0
"""An attack that does not end at its time is killed this much later."""

CALM = "no attack"

_WORKFLOWS = """
INSERT INTO notify.ent_notification_workflow (enterprise_id, workflow_key, name, workflow_type, publish_status)
SELECT enterprise, key, key, 'STATIC', 'PUBLISH' FROM unnest(%s::text[], %s::text[]) AS workflow (enterprise, key)
"""

_STATES = """
SELECT enterprise_id, notification_status::text, coalesce(error_details ->> 'code', retraction_reason, ''), count(*)
FROM notify.ent_notification GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""

_UNEXPLAINED = """
SELECT count(*) FROM notify.ent_notification
WHERE enterprise_id = ANY (%s) AND notification_status <> 'SENT'
    OR notification_status = 'DEAD' AND error_details IS NULL
"""

_PASSWORD = "besieged"  # noqa: S105 - of two logins of a temporary server on the loopback

Show = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Slot:
    """The time of one attack.

    Attributes:
        name: of the attack.
        starts: when, in seconds since 1970.
        ends: likewise.
        report: how the attack went.
        delays: of each victim's notification from its insert to Novu's acceptance, in seconds; infinite: never.
        looks: at the worker meanwhile.
    """

    name: str
    starts: float
    ends: float
    report: Report
    delays: Sequence[float] = ()
    looks: Sequence[Look] = ()


@dataclass(frozen=True, slots=True)
class Account:
    """The results of a siege.

    Attributes:
        slots: the attacks in order, after a calm.
        lost: victims' recipients that were not reached, or rows that ended without a reason.
        duplicates: recipients that were reached more than once, of any enterprise.
        refused_inserts: how many inserts of the victims PostgreSQL refused.
        restarts: how often the worker's process ended and was started again.
        states: how many rows are in each state, by enterprise, state and reason.
    """

    slots: Sequence[Slot]
    lost: Sequence[str]
    duplicates: Sequence[str]
    refused_inserts: int
    restarts: int
    states: Sequence[tuple[str, str, str, int]]


class Siege:
    """A run; no server, worker or attacker keeps running, however it ends.

    Args:
        folder: for rows, ledger and logs.
        attacks: in their order.
        seconds: of all attacks together.
        settings: further settings of the worker, which otherwise has its defaults.
        show: shows the progress.
    """

    def __init__(
        self,
        folder: Path,
        *,
        attacks: Sequence[Attack],
        seconds: float,
        settings: dict[str, str],
        show: Show,
    ) -> None:
        self._stack = Stack(folder)
        self._attacks = attacks
        self._share = seconds / len(attacks)
        self._settings = settings
        self._show = show

    def run(self) -> Account:
        """Run everything, and return the results.

        Raises:
            ServerFailed: a server or the worker did not start.
            StoreUnavailable: PostgreSQL does not answer.
        """
        try:
            self._stack.start(fresh=True, report=self._show)
            self._prepare()
            self._show("Starting the worker")
            replica = Replica(1, self._stack.folder, {**self._stack.environment, **self._settings})
            try:
                replica.wait_until_healthy()
                return self._besiege(replica)
            finally:
                replica.stop()
        except psycopg.OperationalError as error:
            raise StoreUnavailable(type(error).__name__) from error
        finally:
            self._show("Stopping everything")
            self._stack.stop()

    def _prepare(self) -> None:
        keys = [("a-plain", ATTACKER), ("a-413", ATTACKER), ("a-403", ATTACKER), ("a-502", ATTACKER)]
        keys += [(f"{victim.removeprefix('ent-')}-plain", victim) for victim in VICTIMS]
        with psycopg.connect(self._admin_url, autocommit=True) as admin:
            for name, role in (("app", "xnovu_producer"), ("mallory", "xnovu_tenant")):
                statement = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} IN ROLE {}")
                admin.execute(
                    statement.format(sql.Identifier(name), sql.Literal(_PASSWORD), sql.Identifier(role))
                )
            admin.execute(
                "INSERT INTO notify.tenant_login (login, enterprise_id) VALUES ('mallory', %s)", [ATTACKER]
            )
            admin.execute(_WORKFLOWS, [[enterprise for _, enterprise in keys], [key for key, _ in keys]])

    @property
    def _admin_url(self) -> str:
        return self._stack.postgres.url(DATABASE)

    def _login_url(self, name: str) -> str:
        return f"postgresql://{name}:{_PASSWORD}@{self._admin_url.partition('@')[2]}"

    def _besiege(self, replica: Replica) -> Account:
        victims = [
            Victim(self._login_url("app"), victim, f"{victim.removeprefix('ent-')}-plain")
            for victim in VICTIMS
        ]
        probe = Probe(replica)
        for thread in (*victims, probe):
            thread.start()
        slots = [self._calm(), *(self._attack(attack, replica) for attack in self._attacks)]
        self._show("All attacks have ended; no more notifications are inserted")
        committed = finish(victims)
        self._drain()
        probe.finish()
        return self._account(
            slots, committed, probe.looks, refused=sum(victim.refused for victim in victims), replica=replica
        )

    def _calm(self) -> Slot:
        starts = time.time()
        time.sleep(WARM_UP_SECONDS)
        return Slot(CALM, starts, time.time(), Report())

    def _attack(self, attack: Attack, replica: Replica) -> Slot:
        self._show(attack.name)
        target = Target(
            producer=self._login_url("app"),
            tenant=self._login_url("mallory"),
            standin=self._stack.standin_url,
            standin_key=STANDIN_KEY,
            health_port=replica.port,
        )
        starts = time.time()
        with _attacker(attack, target, self._share) as receiver:
            time.sleep(self._share)
            report = _receive(receiver)
        return Slot(attack.name, starts, time.time(), report)

    def _drain(self) -> None:
        deadline = time.monotonic() + DRAIN_SECONDS
        with psycopg.connect(self._admin_url, autocommit=True) as admin:
            while time.monotonic() < deadline:
                row = admin.execute(_UNEXPLAINED, [list(VICTIMS)]).fetchone()
                if row is not None and row[0] == 0:
                    return
                time.sleep(1)

    def _account(
        self,
        slots: Sequence[Slot],
        committed: Sequence[Sent],
        looks: Sequence[Look],
        *,
        refused: int,
        replica: Replica,
    ) -> Account:
        with StrikableStandIn(self._stack.standin_url, STANDIN_KEY) as standin:
            arrivals = standin.arrivals()
        reached = Counter(subscriber for arrival in arrivals for subscriber in arrival.subscribers)
        arrived = {
            subscriber: arrival.at.timestamp() for arrival in arrivals for subscriber in arrival.subscribers
        }
        with psycopg.connect(self._admin_url, autocommit=True) as admin:
            states = admin.execute(_STATES).fetchall()
        return Account(
            slots=[_fill(slot, committed, arrived, looks) for slot in slots],
            lost=[sent.recipient for sent in committed if sent.recipient not in arrived],
            duplicates=[subscriber for subscriber, times in reached.items() if times > 1],
            refused_inserts=refused,
            restarts=replica.unasked,
            states=states,
        )


def _receive(receiver: Pipe) -> Report:
    """Return the report of an attack that ends in time."""
    try:
        report = receiver.recv() if receiver.poll(OVERTIME_SECONDS) else None
    except EOFError:
        report = None
    return report if isinstance(report, Report) else Report(ended=False)


def _fill(slot: Slot, committed: Sequence[Sent], arrived: dict[str, float], looks: Sequence[Look]) -> Slot:
    """Return a slot with the notifications and looks of its time."""
    delays = [
        arrived.get(sent.recipient, float("inf")) - sent.at
        for sent in committed
        if slot.starts <= sent.at < slot.ends
    ]
    seen = [look for look in looks if slot.starts <= look.at < slot.ends]
    return Slot(slot.name, slot.starts, slot.ends, slot.report, delays, seen)


@contextmanager
def _attacker(attack: Attack, target: Target, seconds: float) -> Iterator[Pipe]:
    """Run an attack in a process of its own; yield the pipe that gets its report."""
    spawn = multiprocessing.get_context("spawn")
    receiver, sender = spawn.Pipe(duplex=False)
    arguments = (ATTACKS.index(attack), target, seconds, sender)
    process = spawn.Process(target=_run_attack, args=arguments, daemon=True)
    process.start()
    sender.close()
    try:
        yield receiver
    finally:
        process.join(OVERTIME_SECONDS)
        process.kill()
        process.join()


def _run_attack(number: int, target: Target, seconds: float, sender: Pipe) -> None:
    os.nice(NICENESS)
    report = Report()
    try:
        ATTACKS[number].run(target, time.monotonic() + seconds, report)
    except psycopg.Error as error:
        report.words.setdefault(f"ended: {type(error).__name__}", str(error).partition("\n")[0])
    sender.send(report)
