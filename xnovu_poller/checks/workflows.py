"""Check published workflows: their schema, and whether each channel has its template."""

from collections.abc import Collection, Container, Iterator

from xnovu_poller.checks.result import Finding, conclude, find_unknown
from xnovu_poller.lifecycle import Channel, Language, PublishStatus, WorkflowType
from xnovu_poller.schemas.check import Schemas
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.enterprises import read_enterprises
from xnovu_poller.store.row_checks import RowCheck
from xnovu_poller.store.templates import TemplateKey, read_versions
from xnovu_poller.store.workflows import MOST_SCHEMA_BYTES, Workflow, read_workflows

_LONGEST_NAME = 60


async def check_workflows(
    engine: Engine, schemas: Schemas, default: Language, ids: Collection[int]
) -> list[RowCheck]:
    """Check workflows in the language of their enterprise, or else the default; leave out those that are published no more.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    read = (await read_workflows(engine, ids)).values()
    workflows = [
        each for each in read if each.publish_status is PublishStatus.PUBLISH and not each.deactivated
    ]
    enterprises = await read_enterprises(
        engine, {each.enterprise_id for each in workflows if each.enterprise_id}
    )
    needed: dict[int, list[TemplateKey]] = {}
    languages: dict[int, str] = {}
    for workflow in workflows:
        enterprise = enterprises.get(workflow.enterprise_id or "")
        locale = (enterprise and enterprise.locale) or default.locale
        languages[workflow.id] = locale
        needed[workflow.id] = [
            TemplateKey(workflow.enterprise_id or "", workflow.templates[channel], channel, locale)
            for channel in _channels(workflow)
            if workflow.templates.get(channel)
        ]
    published = await read_versions(engine, [key for keys in needed.values() for key in keys])
    return [
        conclude(
            workflow.id,
            workflow.version,
            [
                *_check_schema(schemas, workflow),
                *find_unknown(languages[workflow.id]),
                *_check_templates(workflow, needed[workflow.id], published),
            ],
        )
        for workflow in workflows
    ]


def _channels(workflow: Workflow) -> list[Channel]:
    """Return the channels whose text is rendered: of a STATIC workflow, those that name a template."""
    dynamic = workflow.type is WorkflowType.DYNAMIC
    return [
        channel
        for channel in Channel
        if channel in workflow.templates or (dynamic and channel in workflow.channels)
    ]


def _check_schema(schemas: Schemas, workflow: Workflow) -> Iterator[Finding]:
    """Yield why the schema cannot be used."""
    if workflow.schema_bytes > MOST_SCHEMA_BYTES:
        size = f"it has {workflow.schema_bytes} bytes of {MOST_SCHEMA_BYTES}"
        yield Finding(f"payload_schema is too large: {size}; shorten it")
    if workflow.schema is not None:
        fault = schemas.find_fault(workflow.enterprise_id, workflow.schema)
        if fault is not None:
            yield Finding(fault.removeprefix("cannot be checked: "))


def _check_templates(
    workflow: Workflow, needed: Collection[TemplateKey], published: Container[TemplateKey]
) -> Iterator[Finding]:
    """Yield the channels without a template, and names that are no channels."""
    for channel in _channels(workflow):
        if not workflow.templates.get(channel):
            yield Finding(
                f'template_overrides: {channel} has no template; write {{"{channel}": "its template_key"}}'
            )
    for key in needed:
        if key not in published:
            yield _missing(workflow, key)
    for name in workflow.templates.keys() - set(Channel):
        known = ", ".join(Channel)
        yield Finding(
            f"template_overrides: {name[:_LONGEST_NAME]!r} is no channel; the channels are {known}",
            is_warning=True,
        )


def _missing(workflow: Workflow, key: TemplateKey) -> Finding:
    template = f"template {key.key[:_LONGEST_NAME]!r} for {key.channel} in {key.locale}, or for any language"
    if workflow.enterprise_id is not None:
        return Finding(f"template_overrides: there is no published {template}; publish one")
    return Finding(
        f"template_overrides: there is no published global {template}; publish one, unless each enterprise has its own",
        is_warning=True,
    )
