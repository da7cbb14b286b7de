"""Check PostgreSQL: the server, the schema, the deployment, then all that `store/checks/` looks at."""

from datetime import timedelta

from xnovu_poller.doctor.findings import judge, refused
from xnovu_poller.errors import DeploymentDisputed, StoreError, XnovuError
from xnovu_poller.store import checks, chores, identity, schema
from xnovu_poller.store.checks import Finding
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.identity import Deployment

_ANSWERS = "PostgreSQL answers"


async def examine(engine: Engine, connections: int) -> list[Finding]:
    """Return the result of each check; after a fault that hides the rest, the rest is left out.

    Args:
        connections: how many another worker needs.
    """
    try:
        findings = [Finding("database_away", _ANSWERS), *await checks.look_at_server(engine, connections)]
    except StoreError as error:
        return [
            refused(
                "database_away",
                _ANSWERS,
                error,
                "check DATABASE_URL, the server and its limit of connections",
            )
        ]
    reads_only = any(found.code == "server_reads_only" and not found.is_sound for found in findings)
    return findings if reads_only else findings + await _examine_schema(engine)


async def _examine_schema(engine: Engine) -> list[Finding]:
    expected = f"the schema is at {schema.required_revision()}, and the worker's role reaches it"
    try:
        await schema.check(engine)
    except XnovuError as error:
        return [
            refused("schema_unfit", expected, error, "run xnovu db upgrade, or do what the sentence asks")
        ]
    findings = [Finding("schema_unfit", expected)]
    for part in (_examine_origin, checks.look, _examine_chores):
        try:
            findings += await part(engine)
        except StoreError as error:
            findings.append(refused("database_away", _ANSWERS, error))
    return findings


async def _examine_origin(engine: Engine) -> list[Finding]:
    expected = "the database is not a copy of another deployment's"
    try:
        await read_deployment(engine)
    except DeploymentDisputed as error:
        actual, _, mend = str(error).partition("; ")
        return judge("deployment_disputed", expected, (actual, mend))
    return judge("deployment_disputed", expected, None)


async def read_deployment(engine: Engine) -> Deployment:
    """Read which deployment the database belongs to, and change nothing.

    Raises:
        DeploymentDisputed: it is a copy.
        StoreUnavailable: PostgreSQL does not answer.
    """
    return await identity.read_deployment(engine, renew=False)


async def _examine_chores(engine: Engine) -> list[Finding]:
    """Report the chores whose last run failed."""
    expected = "the last run of each chore succeeded"
    failed = {chore.name: chore for chore in await chores.read_all(engine) if chore.error is not None}
    found = [
        Finding(
            "chore_failed",
            expected,
            f"chore {name}: failed at {chore.finished_at.isoformat(' ', 'seconds')} ({chore.error})",
            "correct the cause that the sentence names; the next run follows by itself",
        )
        for name, chore in failed.items()
    ]
    return found or [Finding("chore_failed", expected)]


CHORES_FRESH_FOR = timedelta(minutes=10)


async def have_chores_run(engine: Engine) -> bool:
    """Return whether a worker of this database has lately compared its rules.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    return (await chores.read_last(engine, "rules", CHORES_FRESH_FOR)).is_fresh
