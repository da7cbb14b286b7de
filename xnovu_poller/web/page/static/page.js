"use strict";
// The page works without this file; with it, what changes is shown without a reload.

const show = (on, text) => {
  const state = document.querySelector("[data-live-state]");
  if (!state) return;
  state.classList.toggle("on", on);
  state.lastElementChild.textContent = text;
};

// Nobody loses the place where they read, mark, type or open something.
const isRead = (part) => {
  const marked = getSelection();
  const typed = [...part.querySelectorAll("input")].some((each) => each.value !== each.defaultValue);
  const reads = part.contains(document.activeElement) || (marked && !marked.isCollapsed && part.contains(marked.anchorNode));
  return document.hidden || typed || reads;
};

const replace = (part, html) => {
  const open = [...part.querySelectorAll("details")].map((each) => each.open);
  const scrolled = [...part.querySelectorAll(".scroll")].map((each) => each.scrollLeft);
  part.innerHTML = html;
  part.querySelectorAll("details").forEach((each, place) => { each.open = Boolean(open[place]); });
  part.querySelectorAll(".scroll").forEach((each, place) => { each.scrollLeft = scrolled[place] ?? 0; });
};

// A hidden page has no stream: a browser opens six connections to a site, and each open page would keep one.
const listen = (address, act) => {
  let source = null;
  const turn = () => {
    if (document.hidden || source?.readyState === EventSource.CLOSED) {
      source?.close();
      source = null;
    }
    if (document.hidden || source) return;
    source = new EventSource(address);
    source.onopen = () => show(true, "live");
    source.onerror = () => show(false, "not live: no connection");
    source.onmessage = (event) => act(event.data);
  };
  document.addEventListener("visibilitychange", turn);
  addEventListener("pagehide", () => { source?.close(); });
  addEventListener("pageshow", turn);
};

// A phone shows the list first.
for (const part of document.querySelectorAll("[data-folded]")) part.open = innerWidth > 640;

for (const part of document.querySelectorAll("[data-live]")) {
  listen(part.dataset.live, (html) => { if (!isRead(part)) replace(part, html); });
}

for (const part of document.querySelectorAll("[data-changes]:not([data-changes=''])")) {
  let seen = "", stale = false, busy = false, earliest = 0, latest = 60_000;
  listen("/changes", (data) => {
    const marks = JSON.parse(data);
    const now = part.dataset.changes.split(" ").map((table) => marks[table]).join();
    stale ||= seen !== "" && seen !== now;
    seen = now;
  });
  setInterval(async () => {
    const at = performance.now();
    // Without a change too, because the view has ages.
    if (busy || at < earliest || !(stale || at > latest) || !part.dataset.changes || isRead(part)) return;
    [busy, stale] = [true, false];
    const answer = await fetch(location.href).catch(() => null);
    const text = answer?.ok && !answer.redirected ? await answer.text() : "";
    const next = new DOMParser().parseFromString(text, "text/html").querySelector("[data-changes]");
    if (next && !isRead(part)) {
      replace(part, next.innerHTML);
      part.dataset.changes = next.dataset.changes;
    }
    const done = performance.now();
    // A view that takes long is read less often: a page takes a twentieth of the time at most.
    [busy, earliest, latest] = [false, done + Math.max(3_000, 20 * (done - at)), done + 60_000];
  }, 1_000);
}
