import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.workflowservice.v1 import ListScheduleMatchingTimesRequest
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleHandle,
    ScheduleSpec,
    ScheduleState,
)

from xnovu_poller.lifecycle import RuleTrigger
from xnovu_poller.rules import cron
from xnovu_poller.rules.matcher import Firings
from xnovu_poller.rules.preview import list_next
from xnovu_poller.rules.timing import Timing, read_timing
from xnovu_poller.temporal.rules.plans import build_spec

CHANGES = {
    "Europe/Berlin": ("2027-03-28T01:00Z", "2027-10-31T01:00Z"),
    "America/New_York": ("2027-03-14T07:00Z", "2027-11-07T06:00Z"),
    "Asia/Shanghai": ("2027-03-28T01:00Z",),
    "Australia/Lord_Howe": ("2027-04-03T15:00Z", "2027-10-02T15:30Z"),
    "America/Santiago": ("2027-04-04T03:00Z", "2027-09-05T04:00Z"),
}
"""The clock changes of 2027: forward and back, by half an hour, at midnight, and none in Shanghai."""

CONFIGS: tuple[dict[str, object], ...] = (
    {"cron": "30 1 * * *"},
    {"cron": "30 2 * * *"},
    {"cron": ["0 0 * * *", "0 12 * * SAT"]},
    {"cron": "15,45 1,2 * * *"},
    {"cron": "*/7 * * * *"},
    {"cron": "0 */20 1-3 * * *"},
    {"cron": "0 9 13 * FRI"},
    {"cron": "30 2 * * *", "interval": {"every": "30m", "offset": "15m"}},
    {"calendar": {"hour": "2-3", "minute": "*/30", "second": 59}},
    {"calendar": {"hour": 1, "minute": 30, "day_of_month": "1,last"}},
    {"calendar": [{"hour": 2, "day_of_week": "SUN#last,SUN#2,SAT#1"}, {"day_of_week": "MON#5"}]},
)


@pytest.fixture
async def client(temporal_address: str) -> Client:
    """Connect to the real server."""
    return await Client.connect(temporal_address)


@asynccontextmanager
async def scheduled(client: Client, spec: ScheduleSpec) -> AsyncIterator[ScheduleHandle]:
    """Create a paused schedule for the duration of a block."""
    name = f"preview-{uuid.uuid4().hex}"
    action = ScheduleActionStartWorkflow("Nothing", id=name, task_queue=name)
    handle = await client.create_schedule(name, Schedule(action, spec, state=ScheduleState(paused=True)))
    yield handle
    await handle.delete()


async def compare(client: Client, read: Timing, start: datetime) -> None:
    """Compare our times with the server's: those of a day after the start, and the next ten."""
    after, until = start - timedelta(hours=1), start + timedelta(hours=28)
    request = ListScheduleMatchingTimesRequest(
        namespace=client.namespace, start_time=stamp(after), end_time=stamp(until)
    )
    async with scheduled(client, build_spec(read)) as handle:
        request.schedule_id = handle.id
        answer = await client.workflow_service.list_schedule_matching_times(request)
        asked = datetime.now(UTC)
        described = await handle.describe()

    assert [time.ToDatetime(UTC) for time in answer.start_time] == between(read, after, until)
    # A time may have passed since we asked.
    assert described.info.next_action_times in [
        [firing.at for firing in list_next(read, now, 10) if firing.at] for now in (asked, datetime.now(UTC))
    ]


def between(read: Timing, after: datetime, until: datetime) -> list[datetime]:
    """Return all times that we predict up to a time."""
    firings, times = Firings(read), list[datetime]()
    while (at := firings.find_next(after)) is not None and at <= until:
        times.append(at)
        after = at
    return times


def stamp(at: datetime) -> Timestamp:
    """Convert a time to the form of the server's interface."""
    converted = Timestamp()
    converted.FromDatetime(at)
    return converted


@pytest.mark.parametrize("zone", CHANGES)
async def test_predicted_times_are_the_servers(client: Client, zone: str) -> None:
    """They agree to the second, over both clock changes, for all kinds of rules."""
    # Some start long before the change, some shortly before, and some within the doubled hour.
    cases = [
        (config, datetime.fromisoformat(change) - timedelta(minutes=place * 73 % 600 - 40))
        for change in CHANGES[zone]
        for place, config in enumerate(CONFIGS)
    ]

    await asyncio.gather(
        *(
            compare(
                client,
                read_timing(RuleTrigger.CRON, config | {"timezone": zone, "start_at": start.isoformat()}),
                start,
            )
            for config, start in cases
        )
    )


@pytest.mark.parametrize("year", [2027, 2028, 2096, 2100])
async def test_last_days_and_nth_weekdays_are_the_servers(client: Client, year: int) -> None:
    """The end of February in leap years, in others, and in 2100, which is none."""
    calendars = [
        {"day_of_month": "last"},
        {"day_of_week": "FRI#last"},
        {"day_of_week": "MON#2,TUE#4,SUN#5"},
        {"day_of_month": "last", "day_of_week": "SUN,MON,FRI#last"},
    ]
    start = datetime(year, 2, 1, tzinfo=UTC)
    for calendar in calendars:
        read = read_timing(RuleTrigger.CRON, {"calendar": calendar})
        request = ListScheduleMatchingTimesRequest(
            namespace=client.namespace,
            start_time=stamp(start),
            end_time=stamp(start + timedelta(days=365)),
        )
        async with scheduled(client, build_spec(read)) as handle:
            request.schedule_id = handle.id
            answer = await client.workflow_service.list_schedule_matching_times(request)

        theirs = [time.ToDatetime(UTC) for time in answer.start_time]
        assert theirs == between(read, start - timedelta(seconds=1), start + timedelta(days=365))
        assert theirs


async def test_an_expression_is_read_as_the_server_reads_it(client: Client) -> None:
    """The server gets the text itself, with seconds and year where it expects them."""
    fields = ["0", "*/7", "20-50/9", "7/15", "1,3,9-11", "8"]
    days = [("*", "*"), ("*/5", "JAN-mar"), ("31", "*/2"), ("1-7", "Dec"), ("*", "6/2")]
    weekdays = ["*", "7", "0-7", "1/2", "MON-fri", "*/3", "sun", "5-7"]
    texts = [
        f"{field} {field} 3-20/4 {day} {month} {weekday}"
        for field, (day, month), weekday in zip(fields * 4, days * 5, weekdays * 3, strict=False)
    ]
    async with scheduled(client, ScheduleSpec(cron_expressions=[f"{text} *" for text in texts])) as handle:
        theirs = (await handle.describe()).schedule.spec.calendars

    assert len(theirs) == len(texts)
    for text, their in zip(texts, theirs, strict=True):
        ours = cron.read_calendar("cron", text)
        for name in list(cron.FIELDS)[:-1]:
            numbers = {number for span in getattr(ours, name) for number in span.numbers}
            ranges = getattr(their, name)
            known = {
                number % 7 if name == "day_of_week" else number
                for each in ranges
                for number in range(each.start, max(each.end, each.start) + 1, each.step or 1)
            }
            assert numbers == known, (text, name)
