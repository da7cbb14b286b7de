"""Pages of the rules, workflows and templates of all enterprises, by id, as people look through them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import TextClause, text

from xnovu_poller.lifecycle import Channel, CheckedStatus, WorkflowType
from xnovu_poller.store.engine import Engine, acquire
from xnovu_poller.store.rules import Rule, read_some

PAGE = 50
"""Rows of a page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The rows for which all of this holds; None filters nothing.

    Attributes:
        enterprise: of this enterprise; with workflows and templates, the global rows too.
        key: of a workflow or a template.
        after, last: with a higher id than the first, and none higher than the second.
        faulty: in which a check, or the last reconciliation, found a fault.
    """

    enterprise: str | None = None
    key: str | None = None
    after: int = 0
    last: int = (1 << 63) - 1
    faulty: bool = False

    def to_values(self) -> dict[str, Any]:
        """Return the parameters of the statements."""
        return {
            "enterprise": self.enterprise,
            "key": self.key,
            "after": self.after,
            "last": self.last,
            "faulty": self.faulty,
        }


@dataclass(frozen=True, slots=True)
class Checked:
    """What the check of a published row found; `status` is None if it was not checked since it changed."""

    status: CheckedStatus | None
    error: str | None


@dataclass(frozen=True, slots=True)
class WorkflowRow:
    """A workflow.

    Attributes:
        enterprise_id: None if it is global.
        templates: the key of the template of each channel that has one.
        active: it is PUBLISH and not deactivated.
        written_at: when its key was last written to Novu; None if we never wrote it.
    """

    id: int
    enterprise_id: str | None
    key: str
    name: str
    type: WorkflowType
    channels: tuple[Channel, ...]
    templates: dict[str, str]
    active: bool
    checked: Checked
    updated_at: datetime
    written_at: datetime | None


@dataclass(frozen=True, slots=True)
class TemplateRow:
    """A template without its text.

    Attributes:
        enterprise_id: None if it is global.
        locale: None for any language.
        uses: the keys of its layouts and partials.
        active: it is PUBLISH and not deactivated.
    """

    id: int
    enterprise_id: str | None
    key: str
    channel: Channel
    locale: str | None
    name: str
    uses: tuple[str, ...]
    active: bool
    checked: Checked
    updated_at: datetime


_RULES = text(f"""
    SELECT r.id FROM notify.ent_notification_rule r
    WHERE r.id > :after AND r.id <= :last AND (CAST(:enterprise AS text) IS NULL OR r.enterprise_id = :enterprise)
        AND (NOT :faulty OR r.rule_error IS NOT NULL OR r.last_outcome NOT IN ('created', 'repeated'))
    ORDER BY r.id LIMIT {PAGE + 1}""")  # noqa: S608 - built of a constant


async def list_rules(engine: Engine, wanted: Wanted) -> tuple[list[Rule], int | None]:
    """Return a page of rules, and the id after which the next begins; None if there is none.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        ids = list(await connection.scalars(_RULES, wanted.to_values()))
    shown = ids[:PAGE]
    return (await read_some(engine, shown) if shown else []), _next(ids)


_WORKFLOWS = text(f"""
    SELECT w.id, w.enterprise_id, w.workflow_key, left(w.name, 255) AS name, w.workflow_type::text AS workflow_type,
        w.default_channels[1:20]::text[] AS channels,
        CASE WHEN octet_length(w.template_overrides::text) <= 4096 THEN w.template_overrides ELSE '{{}}' END AS templates,
        w.publish_status = 'PUBLISH' AND NOT w.deactivated AS active,
        w.checked_status, w.checked_error, w.updated_at, s.written_at
    FROM notify.ent_notification_workflow w
    LEFT JOIN notify.workflow_sync s ON s.workflow_key = w.workflow_key AND w.workflow_type = 'DYNAMIC'
    WHERE w.id > :after AND w.id <= :last
        AND (CAST(:enterprise AS text) IS NULL OR w.enterprise_id = :enterprise OR w.enterprise_id IS NULL)
        AND (CAST(:key AS text) IS NULL OR w.workflow_key = :key)
        AND (NOT :faulty OR w.publish_status = 'PUBLISH' AND NOT w.deactivated AND w.checked_status <> 'OK')
    ORDER BY w.id LIMIT {PAGE + 1}""")  # noqa: S608 - built of a constant


async def list_workflows(engine: Engine, wanted: Wanted) -> tuple[list[WorkflowRow], int | None]:
    """Return a page of workflows, drafts too, and the id after which the next begins; None if there is none.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    rows = await _read(engine, _WORKFLOWS, wanted)
    return [
        WorkflowRow(
            row.id,
            row.enterprise_id,
            row.workflow_key,
            row.name,
            WorkflowType(row.workflow_type),
            tuple(Channel(name) for name in row.channels),
            {name: key for name, key in row.templates.items() if isinstance(key, str)},
            row.active,
            _checked(row),
            row.updated_at,
            row.written_at,
        )
        for row in rows[:PAGE]
    ], _next([row.id for row in rows])


_TEMPLATES = text(f"""
    SELECT t.id, t.enterprise_id, t.template_key, t.channel_type::text AS channel, t.locale, left(t.name, 255) AS name,
        coalesce(t.uses[1:100], '{{}}') AS uses, t.publish_status = 'PUBLISH' AND NOT t.deactivated AS active,
        t.checked_status, t.checked_error, t.updated_at
    FROM notify.ent_notification_template t
    WHERE t.id > :after AND t.id <= :last
        AND (CAST(:enterprise AS text) IS NULL OR t.enterprise_id = :enterprise OR t.enterprise_id IS NULL)
        AND (CAST(:key AS text) IS NULL OR t.template_key = :key)
        AND (NOT :faulty OR t.publish_status = 'PUBLISH' AND NOT t.deactivated AND t.checked_status <> 'OK')
    ORDER BY t.id LIMIT {PAGE + 1}""")  # noqa: S608 - built of a constant


async def list_templates(engine: Engine, wanted: Wanted) -> tuple[list[TemplateRow], int | None]:
    """Return a page of templates, drafts too, and the id after which the next begins; None if there is none.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    rows = await _read(engine, _TEMPLATES, wanted)
    return [
        TemplateRow(
            row.id,
            row.enterprise_id,
            row.template_key,
            Channel(row.channel),
            row.locale,
            row.name,
            tuple(row.uses),
            row.active,
            _checked(row),
            row.updated_at,
        )
        for row in rows[:PAGE]
    ], _next([row.id for row in rows])


async def find_template(engine: Engine, id_: int) -> TemplateRow | None:
    """Return a template; None if there is none of this id.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    found, _ = await list_templates(engine, Wanted(after=id_ - 1, last=id_))
    return found[0] if found else None


async def _read(engine: Engine, statement: TextClause, wanted: Wanted) -> list[Any]:
    async with acquire(engine) as connection:
        return list((await connection.execute(statement, wanted.to_values())).all())


def _next(ids: list[int]) -> int | None:
    return ids[PAGE - 1] if len(ids) > PAGE else None


def _checked(row: Any) -> Checked:  # noqa: ANN401 - a row of a text statement has no type
    return Checked(row.checked_status and CheckedStatus(row.checked_status), row.checked_error)
