"""Every page works in a browser: no fault in its console, no address outside, no overflow, and readable by all."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

from playwright.sync_api import expect
from typing_extensions import override

from tests.support.browser import FORMS, Visitor, chromium, visitor
from tests.support.novu import NovuStandIn
from tests.support.rows import Db
from tests.support.shown import delivering, load, log_in, served
from tests.support.waiting import WITHIN

CLEAN = """<!doctype html><html lang="en"><head><title>Clean</title><link rel="icon" href="data:,"></head>
<body><main><h1>Clean</h1>{}</main></body></html>"""

VIEWS = ("/notifications", "/rules", "/workflows", "/templates", "/enterprises", "/doctor")

SEEDED = {
    '<script>console.error("broken")</script>': "broken",
    '<script>throw new Error("thrown")</script>': "thrown",
    '<img alt="" src="http://127.0.0.1:1/dot.png">': "asks http://127.0.0.1:1/dot.png",
    '<img alt="" src="/missing.png">': "status 404",
    '<p style="width: 400px">Wide</p>': 'wider than 360 px: <p style="width: 400px">',
    '<p style="overflow: hidden"><a href="#" style="margin-left: 400px">Far</a></p>': "out of reach: <a",
    '<img src="data:,">': "axe image-alt",
    '<p style="color: #aaa">Pale</p>': "axe color-contrast",
    "<h3>Deep</h3>": "axe heading-order",
}


@contextmanager
def serving(bodies: list[str]) -> Iterator[str]:
    """Serve each text in an otherwise clean page, at its number."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path.removeprefix("/").isdigit()
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(CLEAN.format(bodies[int(self.path[1:])]).encode() if found else b"")

        @override
        def log_message(self, *_: object) -> None:
            """Keep the requests out of the output."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_each_fault_of_a_page_is_found() -> None:
    """Each is seeded once, in a page that is clean without it."""
    with (
        serving(["", *SEEDED]) as origin,
        chromium() as browser,
        visitor(browser, origin, width=360) as visited,
    ):
        visited.visit("/0")
        assert visited.faults == []
        for number, fault in enumerate(SEEDED.values(), start=1):
            visited.faults.clear()
            visited.visit(f"/{number}")
            assert any(fault in found for found in visited.faults), (fault, visited.faults)


def retract_by_keyboard(visited: Visitor, db: Db) -> None:
    """Find the notification that is due later, and retract it, with nothing but Tab and Enter."""
    [later] = db.execute(
        "SELECT notify.enqueue('acme', 'default-fire-drill', '{user-17}', scheduled_for => now() + interval '1 hour') AS id"
    )
    log_in(visited)
    for name in ("Notifications", str(later["id"]), "Retract"):
        visited.tab_to(name)
        with visited.page.expect_navigation():
            visited.page.keyboard.press("Enter")
    expect(visited.page.locator("main")).to_contain_text("RETRACTED", timeout=1000 * WITHIN)


def see_changes(visited: Visitor, db: Db) -> None:
    """See new rows in an open list without a reload, but not while a link of the list has the focus."""
    other = visited.page.context.new_page()
    for page in (visited.page, other):
        page.goto(f"{visited.origin}/enterprises")
        expect(page.locator("[data-live-state]")).to_have_text("live", timeout=1000 * WITHIN)
    visited.page.get_by_role("link", name="Pause acme", exact=True).focus()
    db.execute("INSERT INTO notify.ent_enterprise_limit (enterprise_id, rate) VALUES ('aaa', 1)")
    for page, number in ((other, 1), (visited.page, 0)):
        expect(page.get_by_role("link", name="aaa", exact=True)).to_have_count(number, timeout=1000 * WITHIN)
    visited.page.locator("#enterprise").focus()
    expect(visited.page.get_by_role("link", name="aaa", exact=True)).to_be_visible(timeout=1000 * WITHIN)


def test_every_page(
    db: Db, database: str, worker_environment: Mapping[str, str], novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """Wide and narrow, light and dark, by keyboard and without scripts; the data are the demo's and a hostile tenant's."""
    load(db, database, novu_standin, every=50)
    with delivering(db, worker_environment, tmp_path):
        pass
    seen: dict[str, str] = {}
    with served(database, worker_environment, tmp_path) as page, chromium() as browser:
        for width, scheme in FORMS:
            with visitor(browser, novu_standin.url, width=width, scheme=scheme) as visited:
                visited.crawl()
                assert visited.faults == []
            with visitor(browser, page, width=width, scheme=scheme) as visited:
                visited.visit("/login")
                log_in(visited)
                visited.visit("/api/docs")
                seen = visited.crawl()
                assert visited.faults == []
                assert {"/", *VIEWS} <= {urlsplit(address).path for address in seen.values()}
        with visitor(browser, page) as visited:
            retract_by_keyboard(visited, db)
            see_changes(visited, db)
            assert visited.faults == []
        with visitor(browser, page, scripts=False) as visited:
            log_in(visited)
            for address in seen.values():
                visited.page.goto(f"{page}{address}")
                assert visited.page.locator("h1").inner_text()
            assert visited.faults == []
