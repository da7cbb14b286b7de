"""The operations on rules: list, show, preview, fire, pause and resume."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, TypeAdapter

from xnovu_poller import log
from xnovu_poller.errors import DeploymentDisputed, RuleInvalid, TemporalError
from xnovu_poller.lifecycle import FireOutcome, RuleStatus, RuleTrigger
from xnovu_poller.rules.advice import advise
from xnovu_poller.rules.preview import list_next
from xnovu_poller.rules.spec import FIRST_YEAR, LAST_YEAR
from xnovu_poller.rules.timing import read_timing
from xnovu_poller.store import own, rules
from xnovu_poller.store.api_keys import Scope
from xnovu_poller.store.rules import Rule
from xnovu_poller.web.api.operation import Answer, Call, Operation, Shape
from xnovu_poller.web.api.paging import Page, cut
from xnovu_poller.web.api.problems import Broken, Fault, Problem
from xnovu_poller.web.api.shapes import Id, JsonObject, Moment
from xnovu_poller.web.api.sharing import take_share

_log = log.get(__name__)

MOST_TIMES = 100
"""The most times of a preview."""


class OwnRule(Shape):
    """A rule of the enterprise."""

    id: Id
    name: str
    workflow_id: Id
    workflow_key: str | None = Field(description="null: you may not use its workflow")
    trigger_type: RuleTrigger
    trigger_config: JsonObject
    active: bool = Field(description="published and not deactivated")
    status: RuleStatus | None = Field(description="null: no worker has read it yet")
    error: str | None = Field(description="why it has that status")
    last_fired_at: datetime | None
    last_outcome: FireOutcome | None


class Rules(Shape):
    """A part of the list, in the order of the ids."""

    rules: list[OwnRule]
    cursor: Id | None = Field(description="where the next part begins; null: this is the end")


def _check_year(moment: datetime) -> datetime:
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(f"must have a year from {FIRST_YEAR} to {LAST_YEAR}")
    return moment


class Span(Shape):
    """Which times to show."""

    count: int = Field(default=20, ge=1, le=MOST_TIMES)
    since: Annotated[Moment, AfterValidator(_check_year)] | None = Field(
        default=None, description="the first time that may be shown; now, if it is left out"
    )


class Trial(Span):
    """Times that no rule has yet."""

    trigger_type: Literal[RuleTrigger.CRON, RuleTrigger.SCHEDULE] = RuleTrigger.CRON
    trigger_config: JsonObject = Field(
        description='such as `{"cron": "0 9 * * 1-5", "timezone": "Europe/Zurich"}`'
    )


class Time(Shape):
    """A time at which a rule fires, or at which a clock change keeps it from firing."""

    at: datetime | None = Field(description="in UTC, without jitter; null: it does not fire")
    local: datetime = Field(description="on the clocks of the zone")
    mark: str = Field(description="what a clock change does to it; empty: nothing")


class Warned(Shape):
    """A part of the times that may mean something else than its writer thinks."""

    where: str
    reason: str


class Times(Shape):
    """When a rule fires."""

    zone: str
    jitter_seconds: float
    times: list[Time]
    warnings: list[Warned]


class Fired(Shape):
    """A firing that was requested; its notification is listed under its rule as soon as a worker has made it."""

    id: Id = Field(description="of the rule")
    run_id: str = Field(description="of the run; it becomes the dedup_key of the notification")


async def list_rules(call: Call) -> Answer:
    """List the rules of the enterprise.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    page: Page = call.query
    rows, cursor = cut(await own.list_rules(call.tenant, page.after, page.limit + 1), page)
    return Answer(Rules.model_construct(rules=await _show(call, rows), cursor=cursor))


async def show_rule(call: Call) -> Answer:
    """Show a rule.

    Raises:
        Problem: the enterprise has no such rule.
        StoreUnavailable: PostgreSQL does not answer.
    """
    [shown] = await _show(call, [await _find(call)])
    return Answer(shown)


async def _show(call: Call, found: Sequence[Rule]) -> list[OwnRule]:
    keys = await own.read_workflow_keys(call.tenant, {rule.workflow_id for rule in found}) if found else {}
    return [
        OwnRule.model_construct(
            id=rule.id,
            name=rule.name,
            workflow_id=rule.workflow_id,
            workflow_key=keys.get(rule.workflow_id),
            trigger_type=rule.trigger,
            trigger_config=dict(rule.config),
            active=rule.active,
            status=rule.status,
            error=rule.error,
            last_fired_at=rule.last_fired_at,
            last_outcome=rule.last_outcome,
        )
        for rule in found
    ]


async def _find(call: Call) -> Rule:
    """Return the rule in the path.

    Raises:
        Problem: the enterprise has no such rule, whether another has it or not.
        StoreUnavailable: PostgreSQL does not answer.
    """
    rule = await rules.read(call.tenant, call.id)
    if rule is None or rule.enterprise_id != call.caller.enterprise_id:
        raise Problem(Fault.NOT_FOUND, "your enterprise has no rule of this id")
    return rule


async def preview_rule(call: Call) -> Answer:
    """Show when a rule fires next.

    Raises:
        Problem: the enterprise has no such rule, or its times cannot be served.
        StoreUnavailable: PostgreSQL does not answer.
    """
    rule = await _find(call)
    if rule.config_fault is not None:
        raise _invalid(f"trigger_config: {rule.config_fault}")
    try:
        return await _preview(call, call.query, rule.trigger, rule.config)
    except RuleInvalid as error:
        raise _invalid(f"{error.path}: {error.reason}") from None


def _invalid(detail: str) -> Problem:
    return Problem(Fault.CONFLICT, detail, code="rule_invalid")


async def preview_times(call: Call) -> Answer:
    """Show when a rule with these times would fire.

    Raises:
        Problem: the times cannot be served.
    """
    asked: Trial = call.body
    try:
        return await _preview(call, asked, asked.trigger_type, asked.trigger_config)
    except RuleInvalid as error:
        raise Problem(
            Fault.INVALID,
            errors=[Broken("#/trigger_config", f"{error.path}: {error.reason}")],
            code="rule_invalid",
        ) from None


async def _preview(call: Call, span: Span, trigger: RuleTrigger, config: Mapping[str, Any]) -> Answer:
    after = datetime.now(UTC) if span.since is None else span.since - timedelta(microseconds=1)

    def find() -> Times:
        timing = read_timing(trigger, config)
        return Times.model_construct(
            zone=timing.shown_in,
            jitter_seconds=timing.jitter.total_seconds(),
            times=[
                Time.model_construct(at=each.at, local=each.local, mark=str(each.mark))
                for each in list_next(timing, after, span.count)
            ],
            warnings=[
                Warned.model_construct(where=each.where, reason=each.reason)
                for each in advise(trigger, config)
            ],
        )

    return Answer(await take_share(call, find))


async def fire_rule(call: Call) -> Answer:
    """Fire a rule once, now.

    Raises:
        Problem: the enterprise has no such rule, it is not active, or Temporal cannot serve now.
        StoreUnavailable: PostgreSQL does not answer; nothing was fired.
    """
    rule = await _find(call)
    if not rule.active:
        raise Problem(
            Fault.CONFLICT,
            "it is deactivated or not published, so it would make no notification",
            code="wrong_state",
        )
    await own.audit_fire(call.tenant, rule.id, call.caller.actor)
    try:
        run_id = await call.parts.fire(rule.id, rule.enterprise_id, call.idempotency_key)
    except (TemporalError, DeploymentDisputed) as error:
        _log.warning("rule not fired", rule_id=rule.id, code=error.code, error=str(error))
        detail = "rules cannot be fired now; this rule may have been fired"
        raise Problem(Fault.UNAVAILABLE, detail, headers={"Retry-After": "10"}) from None
    return Answer(Fired.model_construct(id=rule.id, run_id=run_id), HTTPStatus.ACCEPTED)


async def pause_rule(call: Call) -> Answer:
    """Deactivate a rule, so that it does not fire.

    Raises:
        Problem: the enterprise has no such rule.
        StoreUnavailable: it may or may not be paused.
    """
    return await _set_deactivated(call, deactivated=True)


async def resume_rule(call: Call) -> Answer:
    """Activate a rule again.

    Raises:
        Problem: the enterprise has no such rule.
        StoreUnavailable: it may or may not be resumed.
    """
    return await _set_deactivated(call, deactivated=False)


async def _set_deactivated(call: Call, *, deactivated: bool) -> Answer:
    await own.switch_rule(call.tenant, call.id, call.caller.actor, deactivated=deactivated)
    return await show_rule(call)


_PATH = "/api/rules"
_OF_ONE = (Fault.NOT_FOUND,)

OPERATIONS = (
    Operation(
        method="GET",
        path=_PATH,
        scope=Scope.READ,
        summary="List rules",
        handler=list_rules,
        query=Page,
        answers={200: ("A part of the list", Rules)},
    ),
    Operation(
        method="POST",
        path=f"{_PATH}/preview",
        scope=Scope.READ,
        summary="Show when a rule with these times would fire",
        handler=preview_times,
        body=TypeAdapter(Trial),
        answers={200: ("Its next times, and what a clock change does to them", Times)},
    ),
    Operation(
        method="GET",
        path=f"{_PATH}/{{id}}",
        scope=Scope.READ,
        summary="Show a rule",
        handler=show_rule,
        answers={200: ("The rule", OwnRule)},
        faults=_OF_ONE,
    ),
    Operation(
        method="GET",
        path=f"{_PATH}/{{id}}/preview",
        scope=Scope.READ,
        summary="Show when a rule fires next",
        handler=preview_rule,
        query=Span,
        answers={200: ("Its next times, and what a clock change does to them", Times)},
        faults=(*_OF_ONE, Fault.CONFLICT),
    ),
    Operation(
        method="POST",
        path=f"{_PATH}/{{id}}/fire",
        scope=Scope.OPERATE,
        summary="Fire a rule once, now",
        handler=fire_rule,
        answers={202: ("A worker will make its notification", Fired)},
        faults=(*_OF_ONE, Fault.CONFLICT),
        is_idempotent=True,
    ),
    Operation(
        method="POST",
        path=f"{_PATH}/{{id}}/pause",
        scope=Scope.OPERATE,
        summary="Pause a rule",
        handler=pause_rule,
        answers={200: ("The rule; it does not fire", OwnRule)},
        faults=_OF_ONE,
    ),
    Operation(
        method="POST",
        path=f"{_PATH}/{{id}}/resume",
        scope=Scope.OPERATE,
        summary="Resume a rule",
        handler=resume_rule,
        answers={200: ("The rule; it fires if it is published", OwnRule)},
        faults=_OF_ONE,
    ),
)
