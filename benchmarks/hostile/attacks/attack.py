"""What an attack is given, what it does, and the two logins that it uses."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

ATTACKER = "ent-a"
VICTIMS = ("ent-b", "ent-c")

NICENESS = 10
"""A real attacker runs on a machine of its own; here it shares two cores with those that it attacks."""

STATEMENT_MS = 2000


@dataclass(frozen=True, slots=True)
class Target:
    """What the attacker knows.

    Attributes:
        producer: the URL of a login of `xnovu_producer`.
        tenant: the URL of a login of `xnovu_tenant` that is bound to the attacker's enterprise.
        standin: the URL of the Novu stand-in, whose gateway refuses what the attacker writes.
        standin_key: its key.
        health_port: the worker's port on the loopback.
    """

    producer: str
    tenant: str
    standin: str
    standin_key: str
    health_port: int


@dataclass(slots=True)
class Report:
    """How an attack went.

    Attributes:
        tried: how many steps were tried.
        refused: how many of them PostgreSQL or the worker refused.
        words: the first refusal of each kind.
        ended: whether the attack ended by itself; otherwise its numbers are not known.
    """

    tried: int = 0
    refused: int = 0
    words: dict[str, str] = field(default_factory=dict)
    ended: bool = True


@dataclass(frozen=True, slots=True)
class Attack:
    """An attack: it works until the moment of `time.monotonic` that it is given, and fills in its report."""

    name: str
    run: Callable[[Target, float, Report], None]


@contextmanager
def login(url: str, enterprise: str = ATTACKER) -> Iterator[Connection[TupleRow]]:
    """Connect, and name an enterprise for the session; no statement outlasts the share of an attack."""
    options = f"-c statement_timeout={STATEMENT_MS}"
    with psycopg.connect(url, autocommit=True, connect_timeout=5, options=options) as connection:
        connection.execute("SELECT set_config('app.current_enterprise_id', %s, false)", [enterprise])
        yield connection


def attempt(
    report: Report, connection: Connection[TupleRow], statement: str, values: Mapping[str, Any] | None = None
) -> bool:
    """Run a statement of the attack; return whether PostgreSQL let it pass."""
    report.tried += 1
    try:
        connection.execute(statement, values)
    except psycopg.Error as error:
        report.refused += 1
        report.words.setdefault(type(error).__name__, str(error).partition("\n")[0])
        return False
    return True


def enqueue(
    report: Report, connection: Connection[TupleRow], workflow: str, number: int, **payload: object
) -> bool:
    """Enqueue a notification of the attacker to a recipient of its own."""
    recipient = f"{ATTACKER}-{workflow}-{os.getpid()}-{number}"
    return attempt(
        report,
        connection,
        "SELECT notify.enqueue(%(enterprise)s, %(workflow)s, %(recipients)s, %(payload)s)",
        {
            "enterprise": ATTACKER,
            "workflow": workflow,
            "recipients": [recipient],
            "payload": Jsonb({"text": "n", **payload}),
        },
    )


def repeat(until: float, pause: float = 0.0) -> Iterator[int]:
    """Count until the attack must end, with a pause after each step."""
    number = 0
    while time.monotonic() < until:
        yield number
        number += 1
        time.sleep(pause)
