"""The rules and workflows of an enterprise, as its key of the API sees them."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import text

from xnovu_poller.lifecycle import Channel, CheckedStatus, WorkflowType
from xnovu_poller.store.engine import Tenant, acquire
from xnovu_poller.store.rules import Rule, read_some


@dataclass(frozen=True, slots=True)
class OwnWorkflow:
    """A workflow that an enterprise may use.

    Attributes:
        is_global: it is there for all enterprises.
        active: it is PUBLISH and not deactivated.
        checked_status: None if it was not checked since it changed.
        is_in_step: Novu has it with all its channels, as we last wrote it; None unless it is DYNAMIC and active.
    """

    id: int
    key: str
    name: str
    type: WorkflowType
    channels: tuple[Channel, ...]
    is_global: bool
    active: bool
    checked_status: CheckedStatus | None
    checked_error: str | None
    is_in_step: bool | None


_WORKFLOWS = text("""
    WITH page AS MATERIALIZED (
        -- The workflows of the page; row-level security has left those of others out already.
        SELECT w.id, w.enterprise_id, w.workflow_key, left(w.name, 1000) AS name, w.workflow_type::text AS workflow_type,
            w.default_channels[1:20]::text[] AS channels, w.publish_status = 'PUBLISH' AND NOT w.deactivated AS active,
            w.checked_status, w.checked_error
        FROM notify.ent_notification_workflow w
        WHERE w.id > :after AND (w.enterprise_id = :enterprise OR w.enterprise_id IS NULL)
        ORDER BY w.id LIMIT :count
    )
    SELECT page.*, step.is_in_step
    FROM page LEFT JOIN notify.find_in_step(ARRAY(SELECT id FROM page)) AS step ON step.id = page.id
    ORDER BY page.id""")


async def list_workflows(tenant: Tenant, after: int, count: int) -> list[OwnWorkflow]:
    """Return the workflows with higher ids that the enterprise may use, drafts too, in the order of their ids.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    values = {"after": after, "enterprise": tenant.enterprise_id, "count": count}
    async with acquire(tenant) as connection:
        return [
            OwnWorkflow(
                row.id,
                row.workflow_key,
                row.name,
                WorkflowType(row.workflow_type),
                tuple(dict.fromkeys(Channel(name) for name in row.channels)),
                row.enterprise_id is None,
                row.active,
                row.checked_status and CheckedStatus(row.checked_status),
                row.checked_error,
                row.is_in_step,
            )
            for row in await connection.execute(_WORKFLOWS, values)
        ]


_RULES = text("""
    SELECT r.id FROM notify.ent_notification_rule r
    WHERE r.id > :after AND r.enterprise_id = :enterprise
    ORDER BY r.id LIMIT :count""")


async def list_rules(tenant: Tenant, after: int, count: int) -> list[Rule]:
    """Return the enterprise's rules with higher ids, in the order of their ids.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    values = {"after": after, "enterprise": tenant.enterprise_id, "count": count}
    async with acquire(tenant) as connection:
        ids = list(await connection.scalars(_RULES, values))
    return await read_some(tenant, ids) if ids else []


_WORKFLOW_KEYS = text("""
    SELECT w.id, w.workflow_key FROM notify.ent_notification_workflow w WHERE w.id = ANY (CAST(:ids AS bigint[]))""")


async def read_workflow_keys(tenant: Tenant, ids: Collection[int]) -> dict[int, str]:
    """Return the key of each workflow that the enterprise may use.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(tenant) as connection:
        rows = await connection.execute(_WORKFLOW_KEYS, {"ids": [*ids]})
        return {row.id: row.workflow_key for row in rows}


_SWITCH_RULE = text("SELECT notify.switch_rule_own(:rule_id, :deactivated, :actor)")


async def switch_rule(tenant: Tenant, rule_id: int, actor: str, *, deactivated: bool) -> bool:
    """Deactivate a rule, or activate it again, with a line in the audit; return whether the enterprise has it.

    Raises:
        StoreUnavailable: it may not have been written.
    """
    async with acquire(tenant) as connection:
        values = {"rule_id": rule_id, "deactivated": deactivated, "actor": actor}
        return bool(await connection.scalar(_SWITCH_RULE, values))


_AUDIT_FIRE = text("SELECT notify.audit_fire_own(:rule_id, :actor)")


async def audit_fire(tenant: Tenant, rule_id: int, actor: str) -> None:
    """Leave a line in the audit that a rule is fired.

    Raises:
        StoreUnavailable: it may not have been written.
    """
    async with acquire(tenant) as connection:
        await connection.execute(_AUDIT_FIRE, {"rule_id": rule_id, "actor": actor})
