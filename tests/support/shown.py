"""The demo's data on the pages: its workflows and special notifications, a part of the ordinary, and a hostile tenant's."""

import re
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg
from playwright.sync_api import expect

from tests.support.browser import Visitor
from tests.support.forked import Fork
from tests.support.logins import a_login, without_login
from tests.support.novu import NovuStandIn
from tests.support.paging import PASSWORD
from tests.support.programs import ENVIRONMENT
from tests.support.rows import Db
from tests.support.waiting import WITHIN, wait_until
from tests.support.worker import QUICK, running_worker
from xnovu_poller.dev.demo.load import insert, load_suite
from xnovu_poller.dev.demo.standin import StandIn
from xnovu_poller.dev.ports import LOOPBACK
from xnovu_poller.dev.sample.enterprises import topics
from xnovu_poller.dev.sample.notifications import ORDINARY, notifications

HOSTILE = '<script>document.title = "run"</script><img src=x onerror="document.title=1">\u202egnp.exe\u2066'
"""Text that runs, or turns what follows around, if a page does not escape it."""

_HOSTILE_ROWS = (
    """
INSERT INTO notify.ent_notification_workflow (enterprise_id, workflow_key, name, workflow_type, default_channels,
    template_overrides, publish_status)
VALUES (%(text)s, 'hostile', %(text)s, 'DYNAMIC', '{EMAIL,SMS}', '{"EMAIL": "hostile", "SMS": "hostile"}', 'PUBLISH')""",
    """
INSERT INTO notify.ent_notification_template (enterprise_id, template_key, name, channel_type, subject_template,
    body_template, publish_status)
VALUES (%(text)s, 'hostile', %(text)s, 'EMAIL', %(text)s, '${long}', 'PUBLISH'),
    (%(text)s, 'hostile', %(text)s, 'SMS', NULL, '${text}', 'PUBLISH')""",
    "INSERT INTO notify.ent_enterprise (enterprise_id, name) VALUES (%(text)s, %(text)s)",
    """
SELECT notify.enqueue(%(text)s, 'hostile', ARRAY[%(text)s, 'user-17'], name => %(text)s, tags => ARRAY[%(text)s],
    payload => jsonb_build_object('text', %(text)s::text, 'long', %(long)s::text))""",
    "INSERT INTO notify.pause (enterprise_id, workflow_key, reason) VALUES (%(text)s, 'other', %(text)s)",
    """
INSERT INTO notify.ent_notification_rule (enterprise_id, name, notification_workflow_id, trigger_type, trigger_config,
    rule_payload, publish_status)
SELECT %(text)s, %(text)s, id, 'CRON', '{"cron": "0 9 * * MON", "timezone": "Asia/Shanghai"}',
    '{"recipients": ["user-17"], "order": 42}', 'PUBLISH'
FROM notify.ent_notification_workflow WHERE workflow_key = 'hostile'""",
)


def load(db: Db, url: str, novu: NovuStandIn, *, every: int = 1, is_hostile: bool = True) -> None:
    """Write the data as the demo does.

    Args:
        url: the same database, as the superuser.
        every: 50 writes every fiftieth of the ordinary notifications.
        is_hostile: whether the hostile tenant is there too.
    """
    samples = [
        each for number, each in enumerate(notifications()) if number >= ORDINARY or not number % every
    ]
    with (
        StandIn(novu.url, QUICK["NOVU_SECRET_KEY"]) as standin,
        psycopg.connect(url, autocommit=True, options="-c role=xnovu_worker") as operator,
        psycopg.connect(url, autocommit=True, options="-c role=xnovu_producer") as producer,
    ):
        load_suite(operator)
        for topic in topics():
            standin.register(topic)
        for sample in samples:
            insert(producer, sample, standin)
    for statement in _HOSTILE_ROWS if is_hostile else ():
        db.execute(statement.encode(), {"text": HOSTILE, "long": f"{HOSTILE}\x07{'W' * 10_000}"})


@contextmanager
def delivering(db: Db, environment: Mapping[str, str], folder: Path) -> Iterator[None]:
    """Run a worker that has delivered all that is due."""
    with running_worker(folder, **environment) as worker:
        wait_until(lambda: not _waiting(db), within=120)
        yield
        assert worker.stop() == 0


def _waiting(db: Db) -> bool:
    found = db.execute(
        "SELECT FROM notify.ent_notification WHERE publish_status = 'PUBLISH'"
        " AND notification_status IN ('PENDING', 'PROCESSING', 'FAILED') LIMIT 1"
    )
    return found.rowcount > 0


@contextmanager
def served(url: str, environment: Mapping[str, str], folder: Path) -> Iterator[str]:
    """Run the API with the operator's page, where people may act; yield its address."""
    api, page = a_login(url, "xnovu_api"), a_login(url, "xnovu_reader", "xnovu_worker")
    log = folder / "api.log"
    log.write_bytes(b"")
    whole = {
        **ENVIRONMENT,
        **environment,
        "NOVU_SECRET_KEY": QUICK["NOVU_SECRET_KEY"],
        "DATABASE_URL": api,
        "API_HOST": LOOPBACK,
        "API_PORT": "0",
        "OPERATOR_PASSWORD": PASSWORD,
        "OPERATOR_ROLE": "operator",
        "OPERATOR_DATABASE_URL": page,
        "TEMPORAL_UI_URL": "http://127.0.0.1:8233",
    }
    with Fork(("api", "start"), whole, log) as child:
        try:
            [port] = wait_until(
                lambda: re.findall(r'"port": (\d+),.* "event": "API served"', log.read_text())
            )
            yield f"http://{LOOPBACK}:{port}"
            child.send_signal(signal.SIGTERM)
            assert child.wait(60) == 0, log.read_text()
        finally:
            child.kill()
            for login in (api, page):
                without_login(url, login)


def log_in(visited: Visitor) -> None:
    """Log in as a person does."""
    visited.page.goto(f"{visited.origin}/login")
    visited.page.get_by_label("Your name").fill("ann")
    visited.page.get_by_label("Password").fill(PASSWORD)
    visited.page.get_by_label("Password").press("Enter")
    # Not the address: waiting for it ends with an error if another navigation takes the place of the first.
    expect(visited.page.get_by_role("button", name="Log out")).to_be_visible(timeout=1000 * WITHIN)
