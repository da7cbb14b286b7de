"""Write the pictures of the documents into `docs/pictures`, from the pages with all of the demo's data: `make pictures`."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from playwright.sync_api import expect

from tests.support.browser import FOLDER as BROWSER
from tests.support.browser import Scheme, chromium, visitor
from tests.support.debian import unpack
from tests.support.novu import NovuStandIn
from tests.support.rows import Db
from tests.support.shown import delivering, load, log_in, served
from tests.support.waiting import WITHIN, wait_until

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "pictures"
COLOURS = "64"

PAGES: Mapping[str, tuple[str, int, Scheme]] = {
    "now": ("/", 1280, "light"),
    "now-narrow": ("/", 360, "dark"),
    "notifications": ("/notifications?state=DEAD&state=RETRACTED&state=PENDING", 1280, "light"),
    "notification": ("/notifications/{id}", 1280, "light"),
    "api": ("/api/docs", 1280, "light"),
}
"""The pictures of the API's process: path, width and colour scheme."""

# Six hours: a calm rate, and a Novu that was away for twelve minutes.
_HISTORY = """
INSERT INTO notify.minute (began_at, due_new, due_scheduled, due_failed, in_flight, oldest_due_seconds, sent, failed, dead)
SELECT date_trunc('minute', now()) - make_interval(mins => ago),
    CASE WHEN away THEN 95 * (122 - ago) WHEN ago BETWEEN 104 AND 110 THEN 160 * (ago - 103) ELSE ago * 7 % 11 END,
    ago * 3 % 5, CASE WHEN away THEN 4 ELSE 0 END, CASE WHEN away THEN 0 ELSE 10 + ago * 13 % 17 END,
    CASE WHEN away THEN 60 * (122 - ago) ELSE 1 + ago % 3 END,
    CASE WHEN away THEN 0 WHEN ago BETWEEN 104 AND 110 THEN 240 ELSE 95 + (25 * sin(ago / 40.0))::int + ago * 17 % 23 END,
    CASE WHEN away THEN ago % 3 WHEN ago % 37 = 0 THEN 2 ELSE 0 END, CASE WHEN ago % 149 = 0 THEN 1 ELSE 0 END
FROM generate_series(2, 360) AS minutes (ago), LATERAL (SELECT ago BETWEEN 111 AND 122) AS novu (away)
ON CONFLICT DO NOTHING"""


def test_pictures(
    db: Db, database: str, worker_environment: Mapping[str, str], novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """Write each of them; `make pictures` runs this file as a test, because its servers are those of the tests."""
    load(db, database, novu_standin, is_hostile=False)
    db.execute(_HISTORY.encode())
    FOLDER.mkdir(exist_ok=True)
    with (
        delivering(db, worker_environment, tmp_path),
        served(database, worker_environment, tmp_path) as page,
        chromium() as browser,
    ):
        # The picture is taken while the worker reports, as in real life.
        wait_until(lambda: db.execute("SELECT FROM notify.worker_report").rowcount)
        [row] = db.execute(
            "SELECT id FROM notify.ent_notification ORDER BY attempt DESC, cardinality(recipients) DESC LIMIT 1"
        )
        with visitor(browser, novu_standin.url) as visited:
            visited.page.goto(novu_standin.url)
            visited.page.screenshot(path=FOLDER / "stand-in.png")
        for name, (path, width, scheme) in PAGES.items():
            with visitor(browser, page, width=width, scheme=scheme) as visited:
                log_in(visited)
                visited.page.goto(page + path.format(id=row["id"]))
                if path == "/":
                    expect(visited.page.locator("[data-live-state]")).to_have_text(
                        "live", timeout=1000 * WITHIN
                    )
                visited.page.screenshot(path=FOLDER / f"{name}.png")
    for picture in FOLDER.glob("*.png"):
        shrink(picture)


def shrink(picture: Path) -> None:
    """Write a picture with a palette, as small as it gets."""
    tool = BROWSER.with_name(".pngquant")
    if not tool.exists():
        unpack(["pngquant", "libimagequant0"], tool, needs=True)
    libraries = sorted({str(file.parent) for file in tool.glob("usr/lib/*-linux-*/**/*.so*")})
    command: list[str | Path] = [
        tool / "usr/bin/pngquant",
        "--force",
        "--speed=1",
        "--nofs",
        "--strip",
        "--output",
        picture,
        COLOURS,
        picture,
    ]
    subprocess.run(command, check=True, env={"LD_LIBRARY_PATH": ":".join(libraries)})
