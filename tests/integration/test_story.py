"""The story of a notification: forty fates, and the causes that it names."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import psycopg
import pytest

from tests.support import lives
from tests.support.environments import Environment
from tests.support.fates import FATES, OVER
from tests.support.lives import World
from tests.support.postgres import as_worker
from tests.support.rows import Db, a_notification, back_dated
from xnovu_poller import settings
from xnovu_poller.errors import NovuUnauthorized, TemporalUnavailable
from xnovu_poller.incidents import name_process
from xnovu_poller.lifecycle import LAWFUL_MOVES, Status
from xnovu_poller.novu.activity import Activity, StepActivity
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications.life import read_life
from xnovu_poller.story import Source, Sources, Story, read_story
from xnovu_poller.story.sources import link_run
from xnovu_poller.story.story import format_span
from xnovu_poller.story.way import list_moves
from xnovu_poller.temporal.delivery.history import Run, Try


async def no_run(_run_id: str) -> Run | None:
    """Answer as Temporal does once it has forgotten a run."""
    return None


async def no_activity(_ids: object) -> Activity:
    """Answer as Novu does for triggers that reached nobody."""
    return Activity(0, complete=True, steps=[])


NOTHING = Sources(no_run, no_activity, lambda _run_id: None)


async def read(engine: Engine, id_: int, sources: Sources = NOTHING) -> Story:
    """Read a story that must be there."""
    story = await read_story(engine, id_, sources)
    assert story is not None
    return story


async def is_way_lawful(engine: Engine, id_: int) -> bool:
    """Return whether the way of a notification leads from PENDING to its state, by lawful moves, without a gap."""
    life = await read_life(engine, id_)
    assert life is not None
    moves = list_moves(life)
    states = [Status.PENDING, *(move.end for move in moves)]
    steps = list(pairwise(states))
    return (
        states[-1] is life.status
        and steps == [(move.start, move.end) for move in moves]
        and all(step in LAWFUL_MOVES for step in steps)
    )


async def check_fates(engine: Engine, world: World, *, attended: bool) -> list[tuple[str, str, str]]:
    """Bring about the fates, and return those whose story is wrong."""
    wrong = []
    for name, fate in FATES.items():
        if fate.attended is attended:
            id_ = await fate.script(world)
            story = await read(engine, id_)
            moments = [line.at for line in story.lines if line.at is not None]
            if (
                fate.cause not in story.cause
                or fate.coming not in story.next.text
                or moments != sorted(moments)
                or not await is_way_lawful(engine, id_)
            ):
                wrong.append((name, story.cause, story.next.text))
    return wrong


async def test_the_first_line_names_the_cause_of_each_fate(engine: Engine, db: Db, database: str) -> None:
    """And the story has what comes next; its lines are in the order of time."""
    assert len(FATES) >= 40
    world = World(db, engine)

    wrong = await check_fates(engine, world, attended=False)
    with psycopg.connect(as_worker(database), application_name="xnovu:worker"):
        wrong += await check_fates(engine, world, attended=True)

    assert wrong == []


RUN = Run(
    state="TERMINATED",
    notifications=7,
    started_at=datetime(2026, 1, 1, tzinfo=UTC),
    started_by="xnovu@one:1",
    closed_at=datetime(2026, 1, 2, tzinfo=UTC),
    tries=[
        Try(
            local=True,
            began_at=None,
            worker="xnovu@two:2",
            ended_at=datetime(2026, 1, 1, 1, tzinfo=UTC),
            error="unfinished: a",
        ),
        Try(local=False, began_at=None, worker=None, error="unfinished: b"),
    ],
    error="terminated by somebody",
)
ACTIVITY = Activity(
    120, complete=False, steps=[StepActivity("email", "failed", "Provider error", "ses", 119)]
)


async def test_a_story_has_the_lines_of_three_sources(engine: Engine, db: Db) -> None:
    """The run knows which worker claimed it; the incidents know who released it, and how long a claim waited is a figure."""
    world = World(db, engine)
    id_ = await lives.chunks_sent(world)

    async def read_run(_run_id: str) -> Run:
        return RUN

    async def read_activity(ids: Sequence[str]) -> Activity:
        assert [id_.rpartition("-")[2] for id_ in ids] == ["1", "2"]
        return ACTIVITY

    story = await read(engine, id_, Sources(read_run, read_activity, lambda run_id: f"https://t/{run_id}"))

    texts = {(line.source, line.text) for line in story.lines}
    assert story.temporal_url == f"https://t/test-notification-{id_}-1"
    assert (Source.TEMPORAL, "try 1 (local) failed: unfinished: a") in texts
    assert (Source.TEMPORAL, "try 2 (regular) waits; the try before: unfinished: b") in texts
    assert (Source.TEMPORAL, "the run ended, TERMINATED: terminated by somebody") in texts
    assert (Source.NOVU, "the triggers reached at least 120 subscribers") in texts
    assert (Source.NOVU, "email by ses: failed for 119 subscribers, last: Provider error") in texts
    assert (Source.POSTGRESQL, "chunk 2 of 2, 50 recipients: accepted") in texts
    assert story.unknown == []
    assert json.loads(json.dumps(story.to_json()))["next"] == {"text": OVER, "at": None}


async def test_what_a_source_does_not_answer_is_not_known(engine: Engine, db: Db) -> None:
    """The others are shown; a notification that Novu cannot have is not asked for."""
    world = World(db, engine)

    async def fail_run(_run_id: str) -> Run:
        raise TemporalUnavailable("no answer")

    async def fail_activity(_ids: Sequence[str]) -> Activity:
        raise NovuUnauthorized(403)

    silent = Sources(fail_run, fail_activity, lambda _run_id: None)
    sent = await read(engine, await world.sent(), silent)
    waiting = await read(engine, a_notification(db), silent)
    forgotten = await read(engine, sent.id)

    assert sent.cause.startswith(f"Notification {sent.id} is SENT: Novu accepted it")
    assert [sentence.partition(":")[0] for sentence in sent.unknown] == [
        "what Novu did with it",
        "which worker claimed it, and how its run went",
    ]
    assert waiting.unknown == []
    assert [sentence.rpartition(": ")[2] for sentence in forgotten.unknown] == [
        "Temporal does not have the run, or has forgotten it"
    ]
    assert await read_story(engine, waiting.id + 1, silent) is None


async def test_each_incident_is_a_line(engine: Engine, db: Db) -> None:
    """With its worker, or the login if it was none; many like incidents are one line."""
    world = World(db, engine)
    id_ = await lives.retracted(world)
    unsent = await lives.rescued(world)
    taken = await read(engine, await lives.reclaimed(world))
    db.execute("UPDATE notify.ent_notification_event SET times = 3 WHERE notification_id = %s", [unsent])

    [retraction] = [line for line in (await read(engine, id_)).lines if line.text.startswith("retracted")]
    [rescue] = [line for line in (await read(engine, unsent)).lines if "rescued" in line.text]

    assert (retraction.text, retraction.worker) == ("retracted, by the login postgres", None)
    assert [line.text.partition(":")[0] for line in taken.lines if "claimed" in line.text] == [
        "claimed again, attempt 2"
    ]
    assert (", 3 times until 20" in rescue.text, rescue.worker) == (True, name_process())


async def test_a_claim_shows_how_long_the_row_had_waited(engine: Engine, db: Db) -> None:
    """From its due time, from its last failure's next attempt, or from its last release; older rows do not show it."""
    world = World(db, engine)
    first = world.claimed().notification_id
    back_dated(db, first, timedelta(hours=3), "claimed_at")
    released = await lives.released(world, None)
    world.claim_again(released)
    old = world.claimed().notification_id
    world.db.execute("UPDATE notify.ent_notification SET attempt = 2 WHERE id = %s", [old])
    db.execute("DELETE FROM notify.ent_notification_event WHERE notification_id = %s", [old])

    claims = [
        next(line.text for line in (await read(engine, id_)).lines if line.text.startswith("claimed:"))
        for id_ in (first, released, old)
    ]

    assert claims[0] == "claimed: attempt 1, 0.0 s after it was due"
    assert claims[1].startswith("claimed: attempt 2, ")
    assert claims[2] == "claimed: attempt 2"


@pytest.mark.parametrize(
    ("span", "text"),
    [(0.44, "0.4 s"), (-1, "0.0 s"), (61, "61 s"), (600, "10 min"), (7300, "2 h"), (200_000, "2 days")],
)
def test_a_duration_is_short(span: float, text: str) -> None:
    """A person reads it at a glance."""
    assert format_span(timedelta(seconds=span)) == text


@pytest.mark.parametrize(
    ("variables", "link"),
    [
        ({}, "http://localhost:8233/namespaces/default/workflows/d-1"),
        (
            {"TEMPORAL_ADDRESS": "a.b.tmprl.cloud:7233", "TEMPORAL_NAMESPACE": "a.b"},
            "https://cloud.temporal.io/namespaces/a.b/workflows/d-1",
        ),
        ({"TEMPORAL_ADDRESS": "temporal:7233"}, None),
        (
            {"TEMPORAL_ADDRESS": "temporal:7233", "TEMPORAL_UI_URL": "https://ui/t/"},
            "https://ui/t/namespaces/default/workflows/d-1",
        ),
    ],
)
def test_a_run_has_a_link_where_the_interface_is_known(
    environment: Environment, variables: dict[str, str], link: str | None
) -> None:
    """Nothing is guessed for a server of which we know only the address."""
    environment(**variables)
    assert link_run(settings.load_temporal(), "d-1") == link


async def test_the_way_has_its_waits(engine: Engine, db: Db) -> None:
    """A failed attempt, and a second that Novu accepted: each claim and each end, and how long the notification waited."""
    world = World(db, engine)
    id_ = await lives.sent_later(world, unknown=False)
    life = await read_life(engine, id_)
    assert life is not None
    moves = list_moves(life)
    assert [(move.start, move.end, move.why.split(" (")[0]) for move in moves] == [
        ("PENDING", "PROCESSING", "attempt 1"),
        ("PROCESSING", "FAILED", "failed"),
        ("FAILED", "PROCESSING", "attempt 2"),
        ("PROCESSING", "SENT", "accepted"),
    ]
    assert [move.at is not None for move in moves] == [False, True, True, True]
    assert [move.waited is not None for move in moves] == [False, False, True, True]
