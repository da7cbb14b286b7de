// Refresh the page where it changed, keep ages true, and give frames the height of their text. The page can be read without it.
"use strict";

const PERIOD = 2000;
let version = null;

function describeAge(ms) {
  const seconds = Math.max(0, Math.floor((Date.now() - ms) / 1000));
  for (const [end, size, unit] of [[60, 1, "s"], [3600, 60, "min"], [86400, 3600, "h"], [Infinity, 86400, "d"]]) {
    if (seconds < end) return `${Math.floor(seconds / size)} ${unit} ago`;
  }
}

function showAges() {
  for (const time of document.querySelectorAll("time[data-ms]")) time.textContent = describeAge(Number(time.dataset.ms));
}

// A frame that moves would load again, so children that are the same stay where they are.
function merge(list, fresh) {
  const kept = new Map([...list.children].map((child) => [child.dataset.key, child]));
  let at = list.firstElementChild;
  for (const child of [...fresh.children]) {
    const same = kept.get(child.dataset.key);
    if (same && same.dataset.version === child.dataset.version) {
      while (at && at !== same) { const gone = at; at = at.nextElementSibling; gone.remove(); }
      at = same.nextElementSibling;
    } else {
      list.insertBefore(child, at);
    }
  }
  while (at) { const gone = at; at = at.nextElementSibling; gone.remove(); }
}

function replace(fresh) {
  const panels = document.getElementById("panels"), next = fresh.getElementById("panels");
  if (panels && next && panels.dataset.panels !== next.dataset.panels) return location.reload();
  for (const part of document.querySelectorAll("[data-live]")) {
    const other = fresh.getElementById(part.id);
    if (!other) continue;
    if (part.dataset.live === "keyed") merge(part, other);
    else if (!part.contains(document.activeElement)) {
      const open = part.querySelector("details")?.open;
      part.replaceChildren(...other.childNodes);
      if (open !== undefined && part.querySelector("details")) part.querySelector("details").open = open;
    }
  }
}

async function refresh() {
  const contact = document.getElementById("contact");
  try {
    const answer = await fetch(location.href, { cache: "no-store", headers: version ? { "If-None-Match": version } : {} });
    contact.textContent = "";
    if (answer.status !== 200) return;
    version = answer.headers.get("ETag");
    replace(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    contact.textContent = "It does not answer.";
  }
}

function fit(frame) {
  const page = frame.contentDocument?.documentElement;
  if (page) frame.style.height = `${Math.min(page.scrollHeight + 4, 6000)}px`;
}

document.addEventListener("load", (event) => { if (event.target.tagName === "IFRAME") fit(event.target); }, true);
for (const frame of document.querySelectorAll("iframe")) fit(frame);

setInterval(() => { if (!document.hidden) { refresh(); showAges(); } }, PERIOD);
