"""Chromium without a window, and the faults that it finds in a page; `python -m tests.support.browser` fetches it from Debian."""

import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Request, Response, sync_playwright

from tests.support.debian import unpack
from tests.support.waiting import WITHIN
from xnovu_poller import settings

FOLDER = Path(__file__).resolve().parents[2] / ".browser"
# The program finds its files only beside itself, so all of Chromium is unpacked even if a part of it is installed.
PACKAGES = (
    "chromium-headless-shell",
    "chromium-common",
    "fonts-inter",
    "fonts-dejavu-core",
    "fonts-droid-fallback",
    "fonts-noto-color-emoji",
)
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")

FONTS = """<?xml version="1.0"?>
<fontconfig>
  <dir>{folder}/usr/share/fonts</dir>
  <cachedir>{folder}/fonts</cachedir>
  <alias binding="same"><family>system-ui</family><prefer><family>Inter</family></prefer></alias>
  <alias binding="same"><family>sans-serif</family><prefer><family>Inter</family></prefer></alias>
  <alias binding="same"><family>monospace</family><prefer><family>DejaVu Sans Mono</family></prefer></alias>
</fontconfig>
"""

Scheme = Literal["light", "dark"]
FORMS: tuple[tuple[int, Scheme], ...] = ((1280, "light"), (360, "dark"))
"""The widths and colour schemes in which every page is visited."""

MOST_TABS = 150
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
AXE = (resources.files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")

# Frames hold what tenants wrote, and no script of ours can enter them.
RUN_AXE = """async (tags) => {
  const found = await axe.run({runOnly: tags, iframes: false, resultTypes: ["violations"]});
  return found.violations.map((fault) => `axe ${fault.id}: ${fault.help}: ${fault.nodes[0].html}`);
}"""

LINKS = """() => [...document.querySelectorAll("a[href]")]
  .map((link) => new URL(link.href))
  .filter((address) => address.origin === location.origin)
  .map((address) => address.pathname + address.search)"""

FOCUS = """() => {
  const focused = document.activeElement;
  const style = getComputedStyle(focused), box = focused.getBoundingClientRect();
  const marked = style.boxShadow !== "none" || (style.outlineStyle !== "none" && style.outlineWidth !== "0px");
  const shown = box.width > 0 && box.bottom > 0 && box.top < innerHeight;
  return [(focused.innerText || focused.ariaLabel || focused.name || "").trim(), marked && shown, focused.outerHTML];
}"""

OVERFLOWS = """() => {
  const page = document.documentElement;
  if (page.scrollWidth <= innerWidth) return [];
  const wide = [...document.body.querySelectorAll("*")]
    .filter((element) => element.getBoundingClientRect().right > innerWidth);
  return [`wider than ${innerWidth} px: ${wide.map((element) => element.outerHTML.slice(0, 80)).pop()}`];
}"""

# A control beside the window is reached by scrolling a part of the page that the keyboard can scroll too; the link that skips the
# navigation comes into the window when it is focused.
UNREACHABLE = """() => {
  const outside = (element) => {
    const box = element.getBoundingClientRect();
    return box.width > 0 && (box.left < 0 || box.right > innerWidth);
  };
  const scrolls = (element) => element && (
    (["auto", "scroll"].includes(getComputedStyle(element).overflowX) && element.tabIndex >= 0) || scrolls(element.parentElement));
  const reached = (element) => {
    element.focus();
    return getComputedStyle(element).position === "absolute" && !outside(element);
  };
  const found = [...document.querySelectorAll("a[href], button, input, select, textarea, summary")]
    .filter((element) => outside(element) && !scrolls(element.parentElement) && !reached(element))
    .map((element) => `out of reach: ${element.outerHTML.slice(0, 80)}`);
  document.activeElement?.blur();
  return found;
}"""


def fetch() -> None:
    """Unpack Chromium and its fonts, unless they are there."""
    if not _fetched().exists():
        unpack(PACKAGES, FOLDER, needs=True)


def executable() -> Path:
    """Return Chromium's path; the test fails if it is nowhere."""
    installed = filter(None, map(shutil.which, NAMES))
    found = _fetched() if _fetched().exists() else next(map(Path, installed), None)
    if found is None:
        pytest.fail("Chromium is missing: run `make browser`, or install it", pytrace=False)
    return found


def _fetched() -> Path:
    return FOLDER / "usr/lib/chromium/chromium-headless-shell"


def _environment() -> dict[str, str | float | bool]:
    """Let Chromium find the unpacked libraries and fonts."""
    if not _fetched().exists():
        return {**settings.child_environment()}
    libraries = sorted({str(file.parent) for file in FOLDER.glob("usr/lib/*-linux-*/**/*.so*")})
    fonts = FOLDER / "fonts.conf"
    # A browser of another process may read it now.
    with tempfile.NamedTemporaryFile("w", dir=FOLDER, delete=False, encoding="utf-8") as whole:
        whole.write(FONTS.format(folder=FOLDER))
    Path(whole.name).replace(fonts)
    return {**settings.child_environment(LD_LIBRARY_PATH=":".join(libraries), FONTCONFIG_FILE=str(fonts))}


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a browser; call it in a test that is no coroutine."""
    path = executable()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, env=_environment())
        try:
            yield browser
        finally:
            browser.close()


def kind_of(address: str) -> str:
    """Return an address without its numbers; of its query, only whether there is one."""
    parts = urlsplit(address)
    return re.sub(r"[0-9]+", "#", parts.path) + "?" * bool(parts.query)


@dataclass
class Visitor:
    """A page of the browser that remembers each fault it meets.

    Attributes:
        page: the page of Playwright.
        origin: scheme, host and port of the server; requests to others are faults.
        faults: sentences, each with the path of the page.
    """

    page: Page
    origin: str
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Listen."""
        self.page.on("console", lambda line: self._add(line.type in {"error", "warning"}, line.text))
        self.page.on("pageerror", lambda error: self._add(fault=True, text=str(error)))
        self.page.on("request", self._ask)
        self.page.on("requestfailed", self._fail)
        self.page.on("response", self._answer)
        self.page.on("dialog", lambda dialog: self._add(fault=True, text=f"dialog: {dialog.message}"))

    def visit(self, path: str) -> None:
        """Open a path, and look for all faults."""
        answer = self.page.goto(f"{self.origin}{path}")
        if answer is not None and answer.headers.get("content-type", "").startswith("text/html"):
            self.look()

    def look(self) -> None:
        """Look at the width of the open page and for its controls, and ask axe."""
        self._add_all(self.page.evaluate(OVERFLOWS))
        self._add_all(self.page.evaluate(UNREACHABLE))
        self.page.evaluate(AXE)
        self._add_all(self.page.evaluate(RUN_AXE, RULES))

    def links(self) -> list[str]:
        """Return the paths and queries to which the open page leads, in order."""
        found: list[str] = self.page.evaluate(LINKS)
        return found

    def crawl(self, start: str = "/") -> dict[str, str]:
        """Visit every kind of address that can be reached; return an address of each."""
        seen: dict[str, str] = {kind_of(start): start}
        ahead = [start]
        while ahead:
            self.visit(ahead.pop(0))
            for link in self.links():
                if kind_of(link) not in seen:
                    seen[kind_of(link)] = link
                    ahead.append(link)
        return seen

    def tab_to(self, name: str) -> None:
        """Press Tab until the element of this text or label is focused; each on the way must show that it is.

        Raises:
            Failed: there is no such element.
        """
        for _ in range(MOST_TABS):
            self.page.keyboard.press("Tab")
            found, is_shown, html = self.page.evaluate(FOCUS)
            self._add(not is_shown, f"no visible focus: {html[:80]}")
            if found == name:
                return
        pytest.fail(f"{self.page.url}: no Tab leads to {name!r}")

    def _ask(self, request: Request) -> None:
        address = urlsplit(request.url)
        origin = f"{address.scheme}://{address.netloc}"
        self._add(origin != self.origin and address.scheme not in {"data", "about"}, f"asks {request.url}")

    def _fail(self, request: Request) -> None:
        # A page that is left gives up what it asks for.
        self._add(request.failure != "net::ERR_ABORTED", f"{request.url}: {request.failure}")

    def _answer(self, response: Response) -> None:
        self._add(response.status >= 400, f"{response.url}: status {response.status}")

    def _add_all(self, texts: Sequence[str]) -> None:
        for text in texts:
            self._add(fault=True, text=text)

    def _add(self, fault: bool, text: str) -> None:  # noqa: FBT001 - a condition, beside what it is about
        if fault:
            self.faults.append(f"{urlsplit(self.page.url).path}: {text}")


@contextmanager
def visitor(
    browser: Browser,
    origin: str,
    *,
    width: int = 1280,
    scheme: Scheme = "light",
    scripts: bool = True,
) -> Iterator[Visitor]:
    """Open a page of this width and colour scheme, in a session of its own."""
    with browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, java_script_enabled=scripts
    ) as opened:
        opened.set_default_timeout(1000 * WITHIN)
        yield Visitor(opened.new_page(), origin)


if __name__ == "__main__":
    fetch()
