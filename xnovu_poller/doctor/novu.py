"""Check Novu: address and key, the limits of the plan, its workflows, and on request whether it drops repeats."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from xnovu_poller.doctor.findings import judge, refused
from xnovu_poller.errors import NovuError, StoreError
from xnovu_poller.novu.account import NovuAccount
from xnovu_poller.novu.client import BULK_TOKENS
from xnovu_poller.novu.workflows import NovuWorkflows
from xnovu_poller.settings import NovuSettings
from xnovu_poller.store.checks import Finding
from xnovu_poller.store.engine import Engine
from xnovu_poller.sync.apply import synchronise
from xnovu_poller.sync.plan import WRITES

if TYPE_CHECKING:
    from xnovu_poller.sync.plan import Item

_ANSWERS = "Novu answers, and accepts the key"


async def examine(settings: NovuSettings, engine: Engine | None, *, probe: bool) -> list[Finding]:
    """Return the result of each check; the workflows are left out without a database.

    Args:
        engine: of a database that is fit; None if it is not.
        probe: also find out whether Novu drops repeats, which takes a workflow of our own for a moment.
    """
    place = (settings.novu_api_url, settings.novu_secret_key.get_secret_value(), settings.novu_timeout)
    account, workflows = NovuAccount(*place), NovuWorkflows(*place)
    try:
        try:
            await account.check_key()
        except NovuError as error:
            mend = "check NOVU_API_URL, NOVU_SECRET_KEY, and the network between"
            return [refused("novu_away", _ANSWERS, error, mend)]
        findings = [Finding("novu_away", _ANSWERS), *await _examine_limit(account)]
        if engine is not None:
            findings += await _examine_workflows(workflows, engine)
        return [*findings, *(await _probe(account) if probe else [])]
    finally:
        await account.aclose()
        await workflows.aclose()


async def _examine_limit(account: NovuAccount) -> list[Finding]:
    expected = f"the plan allows a bulk call, which costs {BULK_TOKENS} of its rate limit"
    try:
        limit = await account.read_limit()
    except NovuError as error:
        return [refused("limit_low", expected, error)]
    if limit is None:
        return judge("limit_low", expected, None, "no limit")
    actual = f"{limit.rate} triggers a second, {limit.burst} at once, plan {limit.level or 'unknown'}"
    problem = (f"rate limit: {actual}", "ask Novu for a higher limit, or set HANDOFF_GROUP_SIZE=1")
    return judge("limit_low", expected, problem if limit.burst < BULK_TOKENS else None, actual)


async def _examine_workflows(workflows: NovuWorkflows, engine: Engine) -> list[Finding]:
    code, expected = "workflows_apart", "Novu has the published workflows, as their rows ask for them"
    try:
        report = await synchronise(engine, workflows, dry_run=True)
    except (NovuError, StoreError) as error:
        return [refused(code, expected, error)]
    unwritten: list[Item] = [item for item in report.items if item.action in WRITES]
    found = [
        Finding(
            code, expected, f"workflow {item.key}: Novu would {item.action} it", "run xnovu workflows sync"
        )
        for item in unwritten
    ]
    for problem in report.problems:
        # A key, which a tenant writes, must not become what to do.
        actual, separator, mend = problem.rpartition("; ")
        if not separator:
            actual, mend = problem, "open the workflow in Novu, and correct it"
        found.append(Finding(code, expected, actual, mend))
    return found or [Finding(code, expected)]


async def _probe(account: NovuAccount) -> list[Finding]:
    return [
        await _examine_repeats(
            "keys_ignored",
            "Novu repeats its answer to a repeated Idempotency-Key",
            account.honours_keys,
            "ask Novu to honour them (self-hosted: IS_API_IDEMPOTENCY_ENABLED=true); until then only transaction ids"
            " keep a repeat within seconds from being sent",
        ),
        await _examine_repeats(
            "transaction_ids_ignored",
            "Novu drops the second trigger of a transaction id",
            account.honours_transaction_ids,
            "do not use this Novu: a notification whose outcome was unknown is sent twice",
        ),
    ]


async def _examine_repeats(
    code: str, expected: str, ask: Callable[[], Awaitable[bool]], mend: str
) -> Finding:
    try:
        is_honoured = await ask()
    except NovuError as error:
        return refused(code, expected, error)
    return Finding(code, expected) if is_honoured else Finding(code, expected, "it does not", mend)
