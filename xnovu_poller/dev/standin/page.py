"""The page that shows the messages that arrived, by enterprise and channel."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import islice
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from xnovu_poller.dev.standin.calls import Json, dump, format_ms
from xnovu_poller.dev.standin.environment import Environment
from xnovu_poller.dev.standin.ledger import AcceptedTrigger
from xnovu_poller.dev.standin.shapes import read_rendered

SHOWN = 50
SHOWN_AT_MOST = 500
SUBSCRIBERS_NAMED = 10
NO_CHANNEL = "unknown channel"
HTML = frozenset({"email", "in_app"})
"""Channels whose body is HTML."""

# Tenants write the messages, so no script may run and nothing may be fetched.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #888; --back: #8881 }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.4rem } h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse } th, td { padding: .3rem .9rem; border-bottom: 1px solid var(--line) }
th { text-align: left } td { text-align: right } th a, td a { text-decoration: none }
article { border: 1px solid var(--line); border-radius: .5rem; margin: 1rem 0; overflow: hidden }
header { background: var(--back); padding: .5rem .9rem; font-size: .85rem; overflow-wrap: anywhere }
section { padding: .5rem .9rem; border-top: 1px solid var(--line) }
.channel { font-size: .75rem; letter-spacing: .05em; text-transform: uppercase; color: var(--soft) }
.state { float: right; border: 1px solid var(--line); border-radius: 1rem; padding: 0 .6rem }
.subject { font-weight: 600; margin: .2rem 0 } .soft { color: var(--soft) }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: .2rem 0; font: inherit }
pre.json { font: .8rem/1.4 ui-monospace, monospace }
iframe { width: 100%; height: 4rem; border: 1px solid var(--line); border-radius: .3rem; background: #fff;
  resize: vertical }
iframe.email { height: 22rem }
"""


def routes(environment: Environment) -> list[Route]:
    """Return the page's route."""

    async def index(request: Request) -> Response:
        triggers = environment.ledger.triggers()
        html = page(triggers, request.query_params)
        return HTMLResponse(html, headers={"Content-Security-Policy": POLICY})

    return [Route("/", index, methods=["GET"])]


def page(triggers: Sequence[AcceptedTrigger], query: Mapping[str, str]) -> str:
    """Return the page: the number of messages by enterprise and channel, then the latest messages.

    Args:
        triggers: all accepted triggers.
        query: `enterprise` and `channel` filter; `limit` sets how many are shown (default 50, at most 500);
            `before` shows triggers older than this number.
    """
    limit = min(_to_number(query.get("limit"), SHOWN), SHOWN_AT_MOST)
    before = _to_number(query.get("before"), len(triggers) + 1)
    chosen = (
        trigger for trigger in reversed(triggers) if trigger.number < before and _matches(trigger, query)
    )
    shown = list(islice(chosen, limit + 1))
    older = {**query, "before": str(shown[limit - 1].number)} if len(shown) > limit else None
    parts = [
        "<h1>Novu stand-in</h1>",
        f"<p>{len(triggers)} triggers accepted. The stand-in sends nothing to anybody.</p>",
        _overview(triggers),
        f"<h2>Latest messages {escape(_filter_name(query))}</h2>",
        *(_message(trigger, query.get("channel")) for trigger in shown[:limit]),
        "" if shown else '<p class="soft">No messages yet.</p>',
        f'<p><a href="{_link(older)}">Older</a></p>' if older else "",
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>Novu stand-in</title>'
        f"<style>{STYLE}</style></head><body>{''.join(parts)}</body></html>"
    )


def list_channels(trigger: AcceptedTrigger) -> tuple[str, ...]:
    """Return a trigger's channels, or a placeholder if they are unknown."""
    return trigger.channels or (NO_CHANNEL,)


def _matches(trigger: AcceptedTrigger, query: Mapping[str, str]) -> bool:
    return query.get("enterprise") in (None, trigger.enterprise) and (
        query.get("channel") is None or query["channel"] in list_channels(trigger)
    )


def _overview(triggers: Iterable[AcceptedTrigger]) -> str:
    """Return the table of delivered messages: enterprises down, channels across."""
    counts: Counter[tuple[str, str]] = Counter()
    for trigger in triggers:
        for channel in list_channels(trigger):
            counts[trigger.enterprise, channel] += len(trigger.subscribers)
    channels = sorted({channel for _, channel in counts})
    head = "".join(
        f'<th><a href="{_link({"channel": channel})}">{escape(channel)}</a></th>' for channel in channels
    )
    rows = (
        f'<tr><th><a href="{_link({"enterprise": enterprise})}">{escape(enterprise)}</a></th>'
        + "".join(
            f'<td><a href="{_link({"enterprise": enterprise, "channel": channel})}">{counts[enterprise, channel]}</a></td>'
            for channel in channels
        )
        + "</tr>"
        for enterprise in sorted({enterprise for enterprise, _ in counts})
    )
    return f'<table><tr><th><a href="/">all enterprises</a></th>{head}</tr>{"".join(rows)}</table>'


def _message(trigger: AcceptedTrigger, channel: str | None) -> str:
    """Return a trigger: its recipients, and its text in each channel."""
    event = trigger.body()
    rendered = read_rendered(event)
    texts = {name: text for name, text in rendered.items() if channel in (None, name)}
    more = len(trigger.subscribers) - SUBSCRIBERS_NAMED
    recipients = ", ".join(trigger.subscribers[:SUBSCRIBERS_NAMED]) or "nobody"
    sections = [_text(name, text) for name, text in texts.items()] or [_payload(event.get("payload"))]
    return (
        f'<article><header><span class="state">{escape(trigger.state)}</span>'
        f"<b>{escape(trigger.enterprise)}</b> · {escape(trigger.workflow)} · "
        f"<time>{format_ms(trigger.arrived_ms)}</time><br>"
        f"to {escape(recipients)}{f' and {more} more' if more > 0 else ''}<br>"
        f'<span class="soft">{escape(trigger.transaction_id)}</span></header>'
        f"{''.join(sections)}</article>"
    )


def _text(channel: str, text: Mapping[str, Json]) -> str:
    """Return the text of a channel; HTML is in a sandboxed frame."""
    subject, body = text.get("subject"), text.get("body")
    shown = f"<pre>{escape(str(body))}</pre>" if body else ""
    if body and channel in HTML:
        shown = f'<iframe sandbox class="{channel}" title="{channel}" loading="lazy" srcdoc="{escape(str(body))}"></iframe>'
    return (
        f'<section><div class="channel">{escape(channel)}</div>'
        + (f'<div class="subject">{escape(str(subject))}</div>' if subject else "")
        + f"{shown}</section>"
    )


def _payload(payload: Json) -> str:
    """Return a payload that holds no rendered text."""
    return f'<section><pre class="json">{escape(dump(payload).decode())}</pre></section>'


def _filter_name(query: Mapping[str, str]) -> str:
    chosen = ", ".join(query[name] for name in ("enterprise", "channel") if query.get(name))
    return f"of {chosen}" if chosen else "of all enterprises"


def _link(query: Mapping[str, str]) -> str:
    return escape("/?" + urlencode(dict(query)))


def _to_number(text: str | None, default: int) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else default
